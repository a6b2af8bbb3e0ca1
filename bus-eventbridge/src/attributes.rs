//! Headers as attributes of SQS messages: a dead letter carries what its body does not say.
//!
//! A message has at most ten attributes. Those that tell of the failure have one each; other headers travel together, as JSON.

use std::borrow::Cow;
use std::collections::HashMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use bytes::Bytes;
use jitney_core::dead_letter::{DeadLetter, HEADER_PREFIX};
use jitney_core::message::Header;
use serde::{Deserialize, Serialize};

use crate::inbound::{self, Arrival};

/// The attribute in which headers travel together.
const TOGETHER: &str = "jitney-headers";
/// Says nothing: a queue has no partitions.
const PARTITION: &str = "jitney-dead-partition";

/// The value of a header: text, where it is.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
}

/// The attributes of `letter`: what tells of the failure, and the headers that cannot be read out of its body.
pub(crate) fn of_dead_letter(letter: &DeadLetter) -> HashMap<String, MessageAttributeValue> {
    let message = &letter.delivery.message;
    let told = inbound::message(message.body.clone(), Arrival::default(), &[]).headers;
    let others: Vec<_> = message
        .headers
        .iter()
        .filter(|header| !header.name.starts_with(HEADER_PREFIX) && !told.contains(header))
        .map(|header| (&*header.name, value(&header.value)))
        .collect();
    let failure = letter.headers().into_iter().filter(|header| header.name != PARTITION);
    let mut attributes: HashMap<_, _> = failure
        .filter_map(|header| {
            let text = String::from_utf8_lossy(&header.value).into_owned();
            Some((header.name.into_owned(), attribute(&text)?))
        })
        .collect();
    if !others.is_empty() {
        // Texts and bytes can always be written.
        let together = serde_json::to_string(&others).unwrap_or_default();
        attributes.extend(attribute(&together).map(|value| (TOGETHER.to_owned(), value)));
    }
    attributes
}

fn value(bytes: &Bytes) -> Value<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::Text(text.into()),
        Err(_) => Value::Bytes(bytes.to_vec()),
    }
}

/// `text` as an attribute, without the letters that SQS does not take; none where it is empty.
fn attribute(text: &str) -> Option<MessageAttributeValue> {
    let taken = |letter: char| match letter {
        '\t' | '\n' | '\r' => letter,
        '\u{fffe}' | '\u{ffff}' => ' ',
        _ if letter.is_ascii_control() => ' ',
        _ => letter,
    };
    let text: String = text.chars().map(taken).collect();
    if text.is_empty() {
        return None;
    }
    MessageAttributeValue::builder().data_type("String").string_value(text).build().ok()
}

/// The headers in the attributes of a message, whoever set them, by name.
pub(crate) fn headers(attributes: HashMap<String, MessageAttributeValue>) -> Vec<Header> {
    let mut headers = Vec::with_capacity(attributes.len());
    let mut attributes: Vec<_> = attributes.into_iter().collect();
    attributes.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    for (name, attribute) in attributes {
        match (attribute.string_value, attribute.binary_value) {
            (Some(text), _) if name == TOGETHER => headers.extend(together(&text)),
            (Some(text), _) => headers.push(Header::new(name, text)),
            (None, Some(bytes)) => headers.push(Header::new(name, bytes.into_inner())),
            (None, None) => {}
        }
    }
    headers
}

/// Headers that travelled together; none where somebody else wrote something of that name.
fn together(text: &str) -> Vec<Header> {
    let pairs: Vec<(String, Value<'_>)> = serde_json::from_str(text).unwrap_or_default();
    let header = |(name, value): (String, Value<'_>)| match value {
        Value::Text(text) => Header::new(name, text.into_owned()),
        Value::Bytes(bytes) => Header::new(name, bytes),
    };
    pairs.into_iter().map(header).collect()
}
