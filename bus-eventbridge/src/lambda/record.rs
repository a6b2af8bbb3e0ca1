//! A message of a queue, as Lambda hands it over.

use std::collections::{HashMap, HashSet};

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageAttributeValue;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jitney_core::message::Message;
use jitney_core::transport::Interest;
use serde::{Deserialize, Serialize};

use crate::attributes;
use crate::inbound::{self, Arrival};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) message_id: String,
    body: String,
    #[serde(default)]
    attributes: HashMap<String, String>,
    #[serde(default)]
    message_attributes: HashMap<String, Attribute>,
    #[serde(rename = "eventSourceARN", default)]
    pub(super) queue_arn: String,
    #[serde(default)]
    pub(super) event_source: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    data_type: String,
    string_value: Option<String>,
    /// In base64.
    binary_value: Option<String>,
}

/// Which records of a batch are to come again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialResponse {
    batch_item_failures: Vec<ItemFailure>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ItemFailure {
    item_identifier: String,
}

impl Record {
    pub(super) fn is_of_sqs(&self) -> bool {
        self.event_source == "aws:sqs"
    }

    /// The name of the queue that it is from.
    pub(super) fn queue(&self) -> &str {
        self.queue_arn.rsplit(':').next().unwrap_or_default()
    }

    /// How often it was delivered, this time included.
    pub(super) fn attempt(&self) -> u32 {
        self.attribute("ApproximateReceiveCount").unwrap_or(1)
    }

    /// The message in it, for a group with these `interests`; it came `now`, unless the queue says when.
    pub(super) fn message(&mut self, now: Timestamp, interests: &[Interest]) -> Message {
        let sent = self.attribute("SentTimestamp");
        let time = sent.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or(now);
        let headers = std::mem::take(&mut self.message_attributes).into_iter().filter_map(|(name, value)| {
            let value = value.into_sdk()?;
            Some((name, value))
        });
        let arrival = Arrival {
            message_id: Some(self.message_id.clone()),
            time,
            headers: attributes::headers(headers.collect()),
        };
        inbound::message(std::mem::take(&mut self.body).into(), arrival, interests)
    }

    fn attribute<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.attributes.get(name)?.parse().ok()
    }

    /// The message group, where the queue keeps the order of each.
    fn fifo_group(&self) -> Option<&str> {
        let group = self.attributes.get("MessageGroupId").map_or("", String::as_str);
        self.queue_arn.ends_with(".fifo").then_some(group)
    }
}

impl Attribute {
    fn into_sdk(self) -> Option<MessageAttributeValue> {
        let bytes = self.binary_value.and_then(|text| BASE64_STANDARD.decode(text).ok());
        let value = MessageAttributeValue::builder().data_type(self.data_type);
        value.set_string_value(self.string_value).set_binary_value(bytes.map(Blob::new)).build().ok()
    }
}

impl PartialResponse {
    /// Those of `records` for which `is_done` is false by their place and, in a FIFO queue, all of the same message group
    /// behind one.
    pub(super) fn of(records: &[Record], is_done: impl Fn(usize) -> bool) -> Self {
        let mut held_up = HashSet::new();
        let mut failures = Vec::new();
        for (place, record) in records.iter().enumerate() {
            let ordered = record.fifo_group().map(|group| (&record.queue_arn, group));
            if is_done(place) && ordered.is_none_or(|group| !held_up.contains(&group)) {
                continue;
            }
            held_up.extend(ordered);
            failures.push(ItemFailure { item_identifier: record.message_id.clone() });
        }
        PartialResponse { batch_item_failures: failures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_a_message_with_what_came_beside_its_body() {
        let record = r#"{
            "messageId": "m-1", "body": "{\"how\":1}", "eventSource": "aws:sqs",
            "attributes": { "ApproximateReceiveCount": "4", "SentTimestamp": "1767312245678" },
            "messageAttributes": {
                "tenant": { "dataType": "String", "stringValue": "t-1", "stringListValues": [] },
                "seal": { "dataType": "Binary", "binaryValue": "AP8=" }
            },
            "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:orders-billing", "awsRegion": "eu-west-1"
        }"#;
        let mut record: Record = serde_json::from_str(record).expect("it is a record");
        assert_eq!((record.queue(), record.attempt(), record.is_of_sqs()), ("orders-billing", 4, true));
        let message = record.message(Timestamp::UNIX_EPOCH, &[]);
        assert_eq!(&message.body[..], br#"{"how":1}"#);
        assert_eq!(message.time.as_millisecond(), 1_767_312_245_678);
        assert_eq!(message.header_str("tenant"), Some("t-1"));
        assert_eq!(message.header_str(inbound::MESSAGE_ID_HEADER), Some("m-1"));
        let seal = message.headers.iter().find(|header| header.name == "seal");
        assert_eq!(seal.map(|header| &header.value[..]), Some(&[0, 255][..]));
    }
}
