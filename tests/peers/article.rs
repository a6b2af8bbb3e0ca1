//! The article's types, field by field.

use jitney::Env;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `EventEnvelope` of the article: a field more or less, or of another type, is not one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EventEnvelope {
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    pub(crate) aggregate_id: String,
    pub(crate) aggregate_type: String,
    pub(crate) timestamp: String,
    pub(crate) version: u32,
    pub(crate) payload: Value,
    pub(crate) metadata: EventMetadata,
}

/// `EventMetadata` of the article.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EventMetadata {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<String>,
    pub(crate) correlation_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) causation_id: Option<String>,
}

impl EventEnvelope {
    /// What a service of the article publishes now about the aggregate `id`, in a chain of its own.
    pub(crate) fn new(event_type: &str, aggregate_type: &str, id: &str, payload: Value) -> Self {
        let env = Env::system();
        let event_id = env.new_id().to_string();
        EventEnvelope {
            event_type: event_type.to_owned(),
            aggregate_id: id.to_owned(),
            aggregate_type: aggregate_type.to_owned(),
            timestamp: iso(env.now().as_millisecond()),
            version: 1,
            payload,
            metadata: EventMetadata {
                user_id: Some("u-1".to_owned()),
                correlation_id: format!("chain of {event_id}"),
                causation_id: None,
            },
            event_id,
        }
    }
}

/// `new Date(millis).toISOString()`.
pub(crate) fn iso(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).unwrap().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
