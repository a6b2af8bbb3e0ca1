//! What a message has beyond its event's envelope: it travels in `metadata`, under a member of our own.
//!
//! ```json
//! {"metadata":{…,"jitney":{"topic":"audit","key":"customer-7","headers":[["tenant","a"]]}}}
//! ```
//!
//! Only what cannot be told from the envelope is written: the topic where it is not `{aggregateType}-events`, the key where
//! it is not the aggregate's id, headers that the codec does not write by itself. Rules match topics by
//! `detail.metadata.jitney.topic`.

use jitney_core::codec::{CORRELATION_ID_HEADER, EVENT_TYPE_HEADER};
use jitney_core::message::{Header, Message};
use serde::{Deserialize, Deserializer, Serialize};

use crate::body::Detail;
use crate::detail::metadata::Facts;
use crate::inbound::is_of_arrival;
use crate::members::{is_object, range_within};

/// The name of the member.
pub(crate) const MEMBER: &str = "jitney";

/// What stands under it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Routing {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) topic: Option<String>,
    /// Null where the message has no key.
    #[serde(default, deserialize_with = "maybe_null", skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) headers: Vec<(String, String)>,
    /// In milliseconds since 1970, where the envelope does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<i64>,
}

fn maybe_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The topic of events of an aggregate type that says nothing else.
pub(crate) fn topic_of(aggregate_type: &str) -> String {
    format!("{aggregate_type}-events")
}

impl Routing {
    /// What has to be written for `message`, whose envelope says `facts`, and whose reader will take it for one of
    /// `event_type`. The error says what cannot be written.
    pub(crate) fn of(message: &Message, facts: &Facts, event_type: &str) -> Result<Self, String> {
        let topic = facts.aggregate_type.as_deref().map(topic_of);
        let key = message.key.as_ref().map(|key| std::str::from_utf8(key));
        let key = key.transpose().map_err(|_| "its key is not UTF-8".to_owned())?;
        let correlation = facts.metadata.correlation_id.as_ref().or(facts.event_id.as_ref());
        let is_told = |header: &&Header| match &*header.name {
            EVENT_TYPE_HEADER => header.value == event_type,
            CORRELATION_ID_HEADER => {
                correlation.is_some_and(|id| id.with_str(|id| header.value == id.as_bytes()))
            }
            name => is_of_arrival(name),
        };
        let text = |header: &Header| {
            let value = std::str::from_utf8(&header.value);
            let value =
                value.map_err(|_| format!("the value of its header `{}` is not UTF-8", header.name))?;
            Ok::<_, String>((header.name.to_string(), value.to_owned()))
        };
        let headers = message.headers.iter().filter(|header| !is_told(header)).map(text);
        Ok(Routing {
            topic: (topic.as_deref() != Some(&*message.topic)).then(|| message.topic.to_string()),
            key: (key != facts.aggregate_id.as_deref() || key.is_none()).then(|| key.map(str::to_owned)),
            headers: headers.collect::<Result<_, _>>()?,
            time: (facts.time != Some(message.time)).then(|| message.time.as_millisecond()),
        })
    }

    /// `detail` with this in its metadata. The error says why it has no place there.
    pub(crate) fn splice(&self, detail: &Detail<'_>) -> Result<String, String> {
        let text = detail.text;
        let nothing = *self == Routing::default();
        let Some(found) = detail.members.get("metadata") else {
            if nothing {
                return Ok(text.to_owned());
            }
            let open = text.strip_suffix('}').unwrap_or(text).trim_ascii_end();
            let comma = if open.len() > 1 { "," } else { "" };
            return Ok(format!("{open}{comma}\"metadata\":{{{}}}}}", self.member()));
        };
        let has_one = detail.metadata.as_ref().is_some_and(|metadata| metadata.get(MEMBER).is_some());
        if nothing && !has_one {
            return Ok(text.to_owned());
        }
        if !is_object(found) {
            return Err(
                "`metadata` in its detail is no object, so topic, key and headers have no place".to_owned()
            );
        }
        let metadata = match &detail.metadata {
            Some(metadata) if has_one => metadata.without(MEMBER),
            _ => found.get().to_owned(),
        };
        let open = metadata.strip_suffix('}').unwrap_or(&metadata).trim_ascii_end();
        let comma = if open.len() > 1 { "," } else { "" };
        let member = if nothing { String::new() } else { format!("{comma}{}", self.member()) };
        let place = range_within(text, found.get());
        Ok(format!("{}{open}{member}}}{}", &text[..place.start], &text[place.end..]))
    }

    fn member(&self) -> String {
        // Texts and numbers can always be written.
        format!("\"{MEMBER}\":{}", serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::Members;

    fn spliced(routing: &Routing, detail: &str) -> String {
        let text = routing.splice(&Detail::read(detail).unwrap()).unwrap();
        assert!(Members::read(&text).is_ok(), "{text}");
        text
    }

    #[test]
    fn it_stands_in_the_metadata_wherever_that_is() {
        let routing = Routing { topic: Some("audit".to_owned()), ..Routing::default() };
        for (detail, wanted) in [
            (r#"{}"#, r#"{"metadata":{"jitney":{"topic":"audit"}}}"#),
            (r#"{"a":1}"#, r#"{"a":1,"metadata":{"jitney":{"topic":"audit"}}}"#),
            (r#"{"metadata":{ },"a":1}"#, r#"{"metadata":{"jitney":{"topic":"audit"}},"a":1}"#),
            (
                r#"{"metadata":{"jitney":{"topic":"old"},"userId":"u"}}"#,
                r#"{"metadata":{"userId":"u","jitney":{"topic":"audit"}}}"#,
            ),
        ] {
            assert_eq!(spliced(&routing, detail), wanted);
        }
        assert!(routing.splice(&Detail::read(r#"{"metadata":7}"#).unwrap()).is_err());
    }

    #[test]
    fn nothing_to_say_takes_away_what_an_earlier_bus_said() {
        let nothing = Routing::default();
        assert_eq!(spliced(&nothing, r#"{"metadata":{"jitney":{}}}"#), r#"{"metadata":{}}"#);
        assert_eq!(spliced(&nothing, r#"{"metadata":7}"#), r#"{"metadata":7}"#);
    }

    #[test]
    fn no_key_is_not_the_same_as_nothing_said() {
        let routing = Routing { key: Some(None), ..Routing::default() };
        let text = serde_json::to_string(&routing).unwrap();
        assert_eq!(text, r#"{"key":null}"#);
        assert_eq!(serde_json::from_str::<Routing>(&text).unwrap(), routing);
        assert_eq!(serde_json::from_str::<Routing>("{}").unwrap(), Routing::default());
    }
}
