//! Binary mode: the payload is the body, the attributes are headers.

use bytes::Bytes;

use super::CONTENT_TYPE_HEADER;
use super::attribute::{Attributes, Binding, TYPE};
use super::lawful::is_json;
use crate::codec::PayloadBytes;
use crate::message::Message;

/// An event as it is on the wire: attributes, and the payload as JSON text.
#[derive(Debug)]
pub(super) struct Found<'m> {
    pub(super) attributes: Attributes<'m>,
    pub(super) payload: PayloadBytes,
}

/// Reads the attributes out of the headers; that the body is JSON is checked by whoever reads the payload.
pub(super) fn read(binding: Binding, message: &Message) -> Result<Found<'_>, String> {
    let attributes = attributes(binding, message)?;
    if let Some(content_type) = message.header(CONTENT_TYPE_HEADER).filter(|value| !value.is_empty()) {
        let content_type = String::from_utf8_lossy(content_type);
        if !is_json(&content_type) {
            return Err(format!("the data is `{content_type}`, and only JSON is read"));
        }
    }
    Ok(Found { attributes, payload: payload_or_null(&message.body) })
}

/// Reads the attributes out of the headers, whatever the body is.
pub(super) fn attributes(binding: Binding, message: &Message) -> Result<Attributes<'_>, String> {
    let mut attributes = Attributes::default();
    for header in &message.headers {
        let Some(name) = binding.attribute_in(&header.name) else { continue };
        let Ok(value) = std::str::from_utf8(&header.value) else {
            return Err(format!("the header `{}` is not UTF-8", header.name));
        };
        attributes.insert(name, value);
    }
    Ok(attributes)
}

/// The event type, where a header says it.
pub(super) fn event_type(binding: Binding, message: &Message) -> Option<&str> {
    let is_type = |name: &str| binding.attribute_in(name) == Some(TYPE.name);
    let header = message.headers.iter().rev().find(|header| is_type(&header.name))?;
    std::str::from_utf8(&header.value).ok().filter(|name| !name.is_empty())
}

/// All of `body`; an event without data has the payload `null`.
fn payload_or_null(body: &Bytes) -> PayloadBytes {
    if body.is_empty() { null() } else { PayloadBytes::InBody(0..body.len()) }
}

/// The payload of an event without data.
pub(super) fn null() -> PayloadBytes {
    PayloadBytes::Own(Bytes::from_static(b"null"))
}
