//! What this transport says when it cannot do what was asked.

use jitney_core::{Error, ErrorKind};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

/// What the server means by a reply code, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The connection, or the server, is not there, or has other trouble that may pass.
    Passing,
    /// It is too large for the server.
    TooLarge,
    /// The user may not do this.
    Refused,
    /// There is no such queue, exchange or virtual host.
    NotFound,
    /// Another connection has it for itself.
    Locked,
    /// It exists with another shape.
    OtherShape,
    /// The client broke the protocol, or the server does not know what was asked for.
    Misunderstood,
}

impl Cause {
    /// Whether trying again may help.
    pub(crate) fn is_retryable(self) -> bool {
        matches!(self, Cause::Passing | Cause::Locked | Cause::NotFound)
    }

    /// What helps.
    fn advice(self) -> &'static str {
        match self {
            Cause::TooLarge => {
                "; raise the server's `max_message_size`, or publish a reference to large data"
            }
            Cause::Refused => {
                "; check user, password and virtual host, and grant the user `configure`, `write` and `read` on the names of \
                 topics and groups"
            }
            Cause::NotFound => "; it is declared again with the next attempt",
            Cause::Locked => "; another connection uses it for itself: wait until that is gone",
            Cause::OtherShape => {
                "; it exists with other arguments, which cannot be changed: set this transport up as it is (`order`, `partitions`), delete it \
                 when it is empty, or use another name"
            }
            Cause::Passing | Cause::Misunderstood => "",
        }
    }
}

/// Why the server, or the client, ended something.
pub(crate) fn cause(error: &lapin::Error) -> Cause {
    let lapin::ErrorKind::ProtocolError(protocol) = error.kind() else {
        return match error.kind() {
            lapin::ErrorKind::AuthProviderError(_) | lapin::ErrorKind::InvalidProtocolVersion(_) => {
                Cause::Refused
            }
            _ => Cause::Passing,
        };
    };
    match protocol.kind() {
        AMQPErrorKind::Soft(soft) => match soft {
            AMQPSoftError::CONTENTTOOLARGE => Cause::TooLarge,
            AMQPSoftError::ACCESSREFUSED => Cause::Refused,
            AMQPSoftError::NOTFOUND => Cause::NotFound,
            AMQPSoftError::RESOURCELOCKED => Cause::Locked,
            // RabbitMQ has one code for several complaints.
            AMQPSoftError::PRECONDITIONFAILED => match protocol.get_message().as_str() {
                text if text.contains("message size") => Cause::TooLarge,
                text if text.contains("inequivalent arg") => Cause::OtherShape,
                text if text.contains("delivery acknowledgement") => Cause::Passing,
                _ => Cause::Misunderstood,
            },
            AMQPSoftError::NOROUTE | AMQPSoftError::NOCONSUMERS => Cause::Misunderstood,
        },
        AMQPErrorKind::Hard(hard) => match hard {
            AMQPHardError::CONNECTIONFORCED | AMQPHardError::RESOURCEERROR | AMQPHardError::INTERNALERROR => {
                Cause::Passing
            }
            AMQPHardError::INVALIDPATH => Cause::NotFound,
            AMQPHardError::NOTALLOWED => Cause::Refused,
            _ => Cause::Misunderstood,
        },
    }
}

/// `doing` was not possible, as the server or the client says.
pub(crate) fn failed(doing: &str, error: &lapin::Error) -> Error {
    let cause = cause(error);
    let what = match error.kind() {
        lapin::ErrorKind::ProtocolError(protocol) => protocol.get_message().to_string(),
        _ => error.to_string(),
    };
    let kind = if cause == Cause::OtherShape { ErrorKind::Config } else { ErrorKind::Transport };
    Error::new(kind, format!("{doing}: {what}{}", cause.advice())).retryable(cause.is_retryable())
}

/// `doing` needs a kind of exchange that the server may not have.
pub(crate) fn no_exchange_kind(doing: &str, error: &lapin::Error) -> Error {
    let failed = failed(doing, error);
    match cause(error) {
        Cause::Misunderstood => {
            let what = format!("{failed}; turn on the server's plugin `rabbitmq_consistent_hash_exchange`");
            Error::config(what)
        }
        _ => failed,
    }
}

/// A message was refused with the channel that it came by.
pub(crate) fn not_published(doing: &str, error: &lapin::Error) -> Error {
    let why = failed(doing, error);
    Error::new(ErrorKind::Rejected, why.to_string()).retryable(why.is_retryable())
}

/// The transport was closed.
pub(crate) fn closed(doing: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{doing}: the rabbitmq transport is closed; connect a new one"))
}

#[cfg(test)]
mod tests {
    use lapin::protocol::AMQPError;

    use super::*;

    fn protocol(kind: impl Into<AMQPErrorKind>, text: &str) -> lapin::Error {
        lapin::ErrorKind::ProtocolError(AMQPError::new(kind.into(), text.into())).into()
    }

    #[test]
    fn reply_codes_are_told_apart() {
        let precondition = |text| protocol(AMQPSoftError::PRECONDITIONFAILED, text);
        for (error, wanted, retryable) in [
            (protocol(AMQPHardError::CONNECTIONFORCED, "shutdown"), Cause::Passing, true),
            (protocol(AMQPSoftError::ACCESSREFUSED, "no"), Cause::Refused, false),
            (protocol(AMQPHardError::NOTALLOWED, "vhost x not found"), Cause::Refused, false),
            (protocol(AMQPSoftError::NOTFOUND, "no queue 'x'"), Cause::NotFound, true),
            (precondition("inequivalent arg 'x-queue-type' for queue 'g'"), Cause::OtherShape, false),
            (precondition("message size 9 is larger than configured max size 8"), Cause::TooLarge, false),
            (precondition("delivery acknowledgement on channel 1 timed out"), Cause::Passing, true),
            (precondition("unknown delivery tag 7"), Cause::Misunderstood, false),
            (lapin::ErrorKind::MissingHeartbeatError.into(), Cause::Passing, true),
        ] {
            assert_eq!(cause(&error), wanted, "{error}");
            assert_eq!(failed("reading", &error).is_retryable(), retryable, "{error}");
        }
    }

    #[test]
    fn errors_say_what_was_done_and_what_to_do() {
        let other =
            protocol(AMQPSoftError::PRECONDITIONFAILED, "inequivalent arg 'x-single-active-consumer'");
        let error = failed("declaring queue `g`", &other);
        let text = error.to_string();
        assert!(
            text.starts_with("declaring queue `g`: inequivalent arg 'x-single-active-consumer'; "),
            "{text}"
        );
        assert!(text.contains("use another name"), "{text}");
        assert_eq!(error.kind(), ErrorKind::Config);
        let refused = not_published("publishing", &protocol(AMQPSoftError::ACCESSREFUSED, "no"));
        assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::Rejected, false));
    }
}
