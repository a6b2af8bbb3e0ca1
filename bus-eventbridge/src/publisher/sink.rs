//! Putting entries onto a bus: the one place that knows which product the bus is.

use std::fmt::Debug;

use async_trait::async_trait;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::entry::{Entry, MAX_ENTRIES, MAX_REQUEST_BYTES};
use crate::error::{Said, is_throttling};

/// A bus that takes entries.
#[async_trait]
pub(crate) trait Sink: Debug + Send + Sync {
    /// The most entries of a request, and what they may have together, in bytes.
    fn most(&self) -> (usize, usize);

    /// Puts some entries; answers for each in their order, or for the request as a whole.
    async fn put(&self, entries: &[&Entry]) -> Result<Vec<Result<(), Failure>>, Failure>;
}

/// Why an entry is not known to be stored.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) said: String,
    pub(crate) fate: Fate,
    /// Whether the same may succeed later.
    pub(crate) is_retryable: bool,
    pub(crate) is_throttled: bool,
}

/// What became of an entry that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    NotStored,
    MayBeStored,
    /// The request was refused for one of its entries: the others may be stored without it.
    Spoiled,
}

/// An event bus of Amazon EventBridge, by PutEvents.
#[derive(Debug)]
pub(crate) struct EventBus {
    pub(crate) client: aws_sdk_eventbridge::Client,
    pub(crate) name: String,
}

impl EventBus {
    fn entry(&self, entry: &Entry) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(&entry.source)
            .detail_type(&entry.detail_type)
            .detail(&entry.detail)
            .time(DateTime::from_secs(entry.time.as_second()))
            .set_resources((!entry.resources.is_empty()).then(|| entry.resources.clone()))
            .build()
    }
}

#[async_trait]
impl Sink for EventBus {
    fn most(&self) -> (usize, usize) {
        (MAX_ENTRIES, MAX_REQUEST_BYTES)
    }

    async fn put(&self, entries: &[&Entry]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let request = self.client.put_events();
        let request = request.set_entries(Some(entries.iter().map(|entry| self.entry(entry)).collect()));
        let answer = request.send().await.map_err(|error| of_request(&Said::of(&error)))?;
        let outcome = |entry: &aws_sdk_eventbridge::types::PutEventsResultEntry| match entry.error_code() {
            None => Ok(()),
            Some(code) => Err(of_entry(code, entry.error_message().unwrap_or("no message"))),
        };
        Ok(answer.entries().iter().map(outcome).collect())
    }
}

/// What the error of an entry means for it.
fn of_entry(code: &str, message: &str) -> Failure {
    let is_throttled = is_throttling(code);
    Failure {
        said: format!("{code}: {message}"),
        fate: Fate::NotStored,
        is_retryable: is_throttled
            || matches!(code, "InternalFailure" | "InternalException" | "ServiceUnavailable"),
        is_throttled,
    }
}

/// What the error of a request means for all of its entries.
fn of_request(said: &Said) -> Failure {
    let is_refused = said.status.is_some_and(|status| status < 500) && said.code.is_some();
    let fate = match (is_refused || said.is_unsent, said.code.as_deref(), said.status) {
        (_, Some("ValidationException" | "MalformedDetail" | "InvalidArgument"), _) | (_, _, Some(413)) => {
            Fate::Spoiled
        }
        (true, _, _) => Fate::NotStored,
        (false, _, _) => Fate::MayBeStored,
    };
    Failure {
        said: said.to_string(),
        fate,
        is_retryable: said.is_retryable(),
        is_throttled: said.is_throttled(),
    }
}
