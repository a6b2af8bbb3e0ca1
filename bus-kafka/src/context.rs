//! What every client of librdkafka tells: its log, and the errors of its connections.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// Passes the log of a client on, and remembers what last went wrong with its connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// What went wrong with a connection.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) code: Option<Code>,
    pub(crate) reason: String,
}

impl Context {
    /// What last went wrong.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Trouble) {
        let mut last = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref().is_none_or(|last| last.weight() <= trouble.weight()) {
            *last = Some(trouble);
        }
    }
}

impl Trouble {
    /// How much it says about the cause.
    fn weight(&self) -> u8 {
        match self.code {
            // What follows from everything else.
            Some(Code::AllBrokersDown) => 0,
            // From the log alone: a connection that was closed.
            None => 1,
            Some(_) => 2,
        }
    }
}

/// What the log calls a connection that failed.
const FAILED: &str = "FAIL";

impl ClientContext for Context {
    fn log(&self, level: Level, facility: &str, message: &str) {
        if facility == FAILED {
            // It begins with the name of a thread.
            let reason = message.split_once("]: ").map_or(message, |(_, reason)| reason);
            self.note(Trouble { code: None, reason: reason.to_owned() });
        }
        match level {
            Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
                tracing::error!(target: "jitney_kafka::librdkafka", facility, "{message}");
            }
            Level::Warning => tracing::warn!(target: "jitney_kafka::librdkafka", facility, "{message}"),
            Level::Notice | Level::Info => {
                tracing::info!(target: "jitney_kafka::librdkafka", facility, "{message}");
            }
            Level::Debug => tracing::debug!(target: "jitney_kafka::librdkafka", facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "jitney_kafka::librdkafka", error = %error, "{reason}");
        self.note(Trouble { code: error.rdkafka_error_code(), reason: reason.to_owned() });
    }
}
