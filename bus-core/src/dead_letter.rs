//! Dead letters: deliveries that no retry can help, kept whole with the reason beside them.
//!
//! Body and headers stay untouched. What is said about the failure goes into headers that begin with
//! `jitney-dead-`, cut to [`MAX_HEADER_BYTES`] each, so that a dead letter of the largest message still fits.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::message::{Header, Message, Topic};
use crate::transport::Delivery;

/// No header that is added to a dead letter is longer than this, in bytes.
pub const MAX_HEADER_BYTES: usize = 1024;

/// What a dead letter adds to its message at most, in bytes. The bus publishes no event that would not leave this much
/// room within what its backend takes.
pub const MAX_ADDED_BYTES: usize = 10 * MAX_HEADER_BYTES;

/// What all headers about the failure begin with.
pub const HEADER_PREFIX: &str = "jitney-dead-";

/// The topic that holds the dead letters of `group`, on every backend that keeps them in topics.
pub fn topic(group: &str) -> Topic {
    Topic::from(format!("{group}.dead-letters"))
}

/// A delivery that is given up.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// What was delivered, untouched.
    pub delivery: Delivery,
    /// Why it is given up.
    pub failure: Failure,
}

/// For logs: who gave it up, where it came from, and why; nothing of what is in it.
impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { reason, error, attempts, group, handler, .. } = &self.failure;
        write!(f, "`{}`", handler.as_deref().unwrap_or(group))?;
        write!(
            f,
            " gave up a delivery of topic `{}` after {attempts} attempts",
            self.delivery.message.topic
        )?;
        write!(f, " ({}): {error}", reason.as_str())
    }
}

/// Why a delivery is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// In one word.
    pub reason: Reason,
    /// The error and what caused it.
    pub error: String,
    /// How often the handler was tried; 0 where no handler saw it.
    pub attempts: u32,
    /// The group that gave it up.
    pub group: String,
    /// The handler that failed, where one was reached.
    pub handler: Option<String>,
    /// When it was given up.
    pub time: Timestamp,
}

/// Why a delivery is given up, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The bytes are no envelope, or the payload does not have the shape of its type.
    Undecodable,
    /// A handled event type in a major version that is not known here.
    UnknownVersion,
    /// A publish layer refused to open it.
    Refused,
    /// An event type that nobody in the group handles, in strict mode.
    Unhandled,
    /// Every attempt failed.
    Exhausted,
    /// The handler's error is permanent.
    Permanent,
    /// The handler asked for it.
    Requested,
}

impl Reason {
    /// The word, as in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Undecodable => "undecodable",
            Reason::UnknownVersion => "unknown-version",
            Reason::Refused => "refused",
            Reason::Unhandled => "unhandled",
            Reason::Exhausted => "exhausted",
            Reason::Permanent => "permanent",
            Reason::Requested => "requested",
        }
    }
}

impl Failure {
    /// A failure of `group` for `reason` at `time`; `error` says the rest.
    pub fn new(reason: Reason, group: &str, time: Timestamp, error: impl Into<String>) -> Self {
        Failure { reason, error: error.into(), attempts: 0, group: group.to_owned(), handler: None, time }
    }

    /// After so many attempts of `handler`.
    #[must_use]
    pub fn of_handler(mut self, handler: &str, attempts: u32) -> Self {
        self.handler = Some(handler.to_owned());
        self.attempts = attempts;
        self
    }
}

impl DeadLetter {
    /// The dead letter as a message for `topic`: body, key and headers as they came, our own headers behind them.
    pub fn to_message(&self, topic: Topic) -> Message {
        let original = &*self.delivery.message;
        let kept = original.headers.iter().filter(|header| !header.name.starts_with(HEADER_PREFIX)).cloned();
        Message {
            topic,
            key: original.key.clone(),
            headers: kept.chain(self.headers()).collect(),
            time: original.time,
            body: original.body.clone(),
        }
    }

    /// The headers that tell of the failure.
    pub fn headers(&self) -> Vec<Header> {
        let failure = &self.failure;
        let mut headers = vec![
            header("jitney-dead-reason", failure.reason.as_str()),
            header("jitney-dead-error", &failure.error),
            header("jitney-dead-attempts", &failure.attempts.to_string()),
            header("jitney-dead-group", &failure.group),
            header("jitney-dead-time", &failure.time.to_string()),
            header("jitney-dead-topic", &self.delivery.message.topic),
            header("jitney-dead-partition", &self.delivery.partition.to_string()),
        ];
        if let Some(handler) = &failure.handler {
            headers.push(header("jitney-dead-handler", handler));
        }
        if let Some(position) = self.delivery.position {
            headers.push(header("jitney-dead-position", &position.to_string()));
        }
        headers
    }
}

fn header(name: &'static str, value: &str) -> Header {
    let cut = value.floor_char_boundary(MAX_HEADER_BYTES);
    Header::new(name, Bytes::copy_from_slice(&value.as_bytes()[..cut]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::transport::{Epoch, Token};

    #[test]
    fn what_is_logged_of_a_dead_letter_tells_nothing_of_its_content() {
        let message = Message {
            topic: Topic::from("Order-events"),
            key: None,
            headers: Vec::new(),
            time: Timestamp::UNIX_EPOCH,
            body: Bytes::from_static(b"s3cret"),
        };
        let token = Token { epoch: Epoch(1), number: 1 };
        let failure = Failure::new(Reason::Exhausted, "billing", Timestamp::UNIX_EPOCH, "the bank is away");
        let delivery = Delivery::new(Arc::new(message), token);
        let letter = DeadLetter { delivery, failure: failure.of_handler("charge", 5) };
        assert_eq!(
            letter.to_string(),
            "`charge` gave up a delivery of topic `Order-events` after 5 attempts (exhausted): the bank is away"
        );
    }
}
