//! What a function is invoked with, by its shape.

use jitney_core::Error;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::record::Record;

/// What a function takes.
const EXPECTED: &str = "expected an event of EventBridge as a rule leaves it (an object with `source`, `detail-type` and \
                        `detail`; the target has no input path, transformer or constant), or a batch of an SQS queue (an object \
                        with `Records` of `eventSource` \"aws:sqs\"); have other services send to one of the two";

/// What a function is invoked with.
#[derive(Debug)]
pub(super) enum Invocation {
    /// One event, which is the whole payload.
    Event,
    /// Messages of a queue.
    Batch(Vec<Record>),
}

#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<&'a RawValue>,
    source: Option<IgnoredAny>,
    #[serde(rename = "detail-type")]
    detail_type: Option<IgnoredAny>,
    detail: Option<IgnoredAny>,
}

impl Invocation {
    /// What `payload` is.
    pub(super) fn of(payload: &str) -> Result<Self, Error> {
        let wrong = |what: String| Error::config(format!("reading an invocation: {what}; {EXPECTED}"));
        let shape: Shape<'_> = serde_json::from_str(payload).map_err(|error| wrong(error.to_string()))?;
        if let Some(records) = shape.records {
            let records: Vec<Record> = serde_json::from_str(records.get())
                .map_err(|error| wrong(format!("its `Records` are none of SQS: {error}")))?;
            return match records.iter().find(|record| !record.is_of_sqs()) {
                Some(other) => Err(wrong(format!("it has records of `{}`", other.event_source))),
                None => Ok(Invocation::Batch(records)),
            };
        }
        match (shape.source, shape.detail_type, shape.detail) {
            (Some(_), Some(_), Some(_)) => Ok(Invocation::Event),
            _ => Err(wrong("it has neither `Records` nor `source`, `detail-type` and `detail`".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_says_what_is_expected() {
        let sns = r#"{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"x"}}]}"#;
        let dynamo = r#"{"Records":[{"messageId":"1","body":"x","eventSource":"aws:dynamodb"}]}"#;
        for odd in ["1", "[]", "{}", r#"{"detail":{}}"#, r#"{"Records":1}"#, sns, dynamo] {
            let error = Invocation::of(odd).unwrap_err().to_string();
            assert!(error.contains("detail-type") && error.contains("aws:sqs"), "{odd}: {error}");
        }
        assert!(Invocation::of(dynamo).unwrap_err().to_string().contains("aws:dynamodb"));
    }

    #[test]
    fn a_batch_may_be_empty() {
        assert!(
            matches!(Invocation::of(r#"{"Records":[]}"#), Ok(Invocation::Batch(records)) if records.is_empty())
        );
    }
}
