//! What this transport says when it cannot do what was asked.

use jitney_core::{Error, ErrorKind};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What an error of the cluster means for a message that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The cluster does not have it.
    Rejected {
        /// Whether it may take it later.
        retryable: bool,
    },
    /// The cluster may have it.
    Unknown,
}

/// What became of a message whose delivery ended in `code`.
pub(crate) fn fate(code: Code) -> Fate {
    match code {
        // Refused by what it is, on every attempt alike.
        Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidTopic
        | Code::PolicyViolation
        | Code::UnsupportedCompressionType => Fate::Rejected { retryable: false },
        // Never sent.
        Code::UnknownTopic | Code::UnknownPartition | Code::QueueFull => Fate::Rejected { retryable: true },
        // The last of several attempts may have been refused, and an earlier one stored.
        _ => Fate::Unknown,
    }
}

/// What helps against `code`, where that is known.
fn advice(code: Code) -> &'static str {
    match code {
        Code::MessageSizeTooLarge => {
            "; allow larger messages with the topic's `max.message.bytes`, or publish a reference to large data"
        }
        Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend => {
            "; fewer replicas are in sync than `min.insync.replicas` of the topic asks for: bring brokers back, or lower it"
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            "; create the topic, or let missing topics be made with `create_topics=true`"
        }
        Code::TopicAuthorizationFailed => "; grant the user `Read`, `Write` and `Describe` on the topic",
        Code::GroupAuthorizationFailed => "; grant the user `Read` on the group",
        Code::ClusterAuthorizationFailed => "; grant the user `IdempotentWrite` on the cluster",
        Code::TransactionalIdAuthorizationFailed => "; grant the user `Write` on the transactional id",
        Code::SaslAuthenticationFailed | Code::Authentication => "; check user, password and `sasl`",
        Code::MessageTimedOut => {
            "; it was not acked within `publish_timeout`, and may or may not be stored: see that its partition has a leader, and \
             as many replicas in sync as `min.insync.replicas` of the topic asks for"
        }
        Code::InvalidTopic => "; a topic's name has letters, digits, `.`, `_` and `-`, at most 249 of them",
        Code::InvalidReplicationFactor => "; ask for no more `replication` than the cluster has brokers",
        Code::NonEmptyGroup => "; it has members: stop them first",
        Code::FencedInstanceId => {
            "; another process runs under the same `instance_id`: give each one its own"
        }
        Code::UnknownMemberId | Code::PollExceeded => {
            "; the group took this member for dead and goes on without it until it has joined again"
        }
        _ => "",
    }
}

/// Whether trying again may help against `code`.
fn is_retryable(code: Code) -> bool {
    !matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::UnsupportedSASLMechanism
            | Code::FencedInstanceId
            | Code::InvalidGroupId
            | Code::InvalidTopic
            | Code::InvalidConfig
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::PolicyViolation
            | Code::UnsupportedVersion
            | Code::NonEmptyGroup
            | Code::InconsistentGroupProtocol
            | Code::UnsupportedAssignor
            | Code::Fatal
            | Code::Fenced
    )
}

/// Whether the cluster is only about to choose who is to answer.
pub(crate) fn has_no_leader(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::NotCoordinator
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                // The client has let go of a broker that the cluster does not name at the moment.
                | Code::DestroyBroker
        )
    )
}

/// `doing` was not possible, as the cluster or the client says by `code`.
pub(crate) fn failed(doing: &str, code: Code) -> Error {
    let what = format!("{doing}: {code}{}", advice(code));
    Error::new(ErrorKind::Transport, what).retryable(is_retryable(code))
}

/// `doing` was not possible, as the client says.
pub(crate) fn client(doing: &str, error: KafkaError) -> Error {
    match error.rdkafka_error_code() {
        // All that the error says is in the code.
        Some(code) => failed(doing, code),
        None => Error::new(ErrorKind::Transport, doing).with_source(error),
    }
}

/// A message for `topic` was not stored, or may not have been.
pub(crate) fn not_published(doing: &str, code: Code) -> Error {
    let what = format!("{doing}: {code}{}", advice(code));
    match fate(code) {
        Fate::Rejected { retryable } => Error::new(ErrorKind::Rejected, what).retryable(retryable),
        Fate::Unknown => Error::new(ErrorKind::Unknown, what),
    }
}

/// The transport was closed.
pub(crate) fn closed(doing: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{doing}: the kafka transport is closed; connect a new one"))
}

/// A client could not be made out of the settings.
pub(crate) fn bad_settings(doing: &str, error: &KafkaError) -> Error {
    let what = match error {
        // The value is left out: it may be a secret.
        KafkaError::ClientConfig(_, description, name, _) => {
            format!("{doing}: setting `{name}`: {description}")
        }
        KafkaError::ClientCreation(description) => format!("{doing}: {description}"),
        other => format!("{doing}: {other}"),
    };
    Error::config(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_may_be_stored_is_never_called_rejected() {
        for code in
            [Code::MessageTimedOut, Code::NotEnoughReplicasAfterAppend, Code::PurgeInflight, Code::Fail]
        {
            assert_eq!(fate(code), Fate::Unknown, "{code:?}");
            assert!(not_published("publishing", code).is_retryable());
        }
    }

    #[test]
    fn what_nobody_can_mend_by_waiting_is_not_retryable() {
        for code in [Code::SaslAuthenticationFailed, Code::TopicAuthorizationFailed, Code::FencedInstanceId] {
            assert!(!failed("reading", code).is_retryable(), "{code:?}");
        }
        for code in [Code::BrokerTransportFailure, Code::LeaderNotAvailable, Code::OperationTimedOut] {
            assert!(failed("reading", code).is_retryable(), "{code:?}");
        }
    }

    #[test]
    fn errors_say_what_was_done_and_what_to_do() {
        for (code, says) in [
            (Code::NotEnoughReplicas, "`min.insync.replicas`"),
            (Code::MessageTimedOut, "`publish_timeout`"),
            (Code::UnknownTopicOrPartition, "`create_topics=true`"),
            (Code::InvalidTopic, "at most 249"),
            (Code::FencedInstanceId, "`instance_id`"),
            (Code::TopicAuthorizationFailed, "`Write`"),
        ] {
            let text = not_published("publishing to topic `Order-events`", code).to_string();
            assert!(text.starts_with("publishing to topic `Order-events`: "), "{text}");
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn a_setting_that_is_wrong_is_named_without_its_value() {
        let mut config = rdkafka::ClientConfig::new();
        config.set("socket.timeout.ms", "s3cret");
        let error = config.create_native_config().map(drop).unwrap_err();
        let text = bad_settings("connecting", &error).to_string();
        assert!(text.contains("`socket.timeout.ms`"), "{text}");
    }
}
