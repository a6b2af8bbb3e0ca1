//! Structured mode: one JSON object of attributes and data.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::CONTENT_TYPE_HEADER;
use super::attribute::{Attributes, DATA_CONTENT_TYPE};
use super::base64;
use super::binary::{Found, null};
use super::lawful::is_json;
use crate::codec::{PayloadBytes, range_within};
use crate::message::Message;

/// What the media types of structured mode begin with, in whatever case.
const PREFIX: &str = "application/cloudevents";

/// The media type of `message` without its parameters, where it is in structured mode.
pub(super) fn format(message: &Message) -> Option<&str> {
    let media_type = message.header_str(CONTENT_TYPE_HEADER)?.split(';').next()?.trim();
    media_type.get(..PREFIX.len()).filter(|start| start.eq_ignore_ascii_case(PREFIX))?;
    Some(media_type)
}

/// Reads attributes and data out of `body`, which is of the media type `format`.
pub(super) fn read<'m>(format: &str, body: &'m [u8]) -> Result<Found<'m>, String> {
    if !format[PREFIX.len()..].eq_ignore_ascii_case("+json") {
        return Err(format!("the event is `{format}`, and of structured mode only `{PREFIX}+json` is read"));
    }
    let mut members: BTreeMap<String, &'m RawValue> =
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON object: {error}"))?;
    let data = members.remove("data");
    let base64 = members.remove("data_base64").filter(|value| value.get() != "null");
    let mut attributes = Attributes::default();
    for (name, value) in members {
        if let Some(value) = text_of(&name, value.get())? {
            attributes.insert(name, value);
        }
    }
    let content_type = attributes.take_named(DATA_CONTENT_TYPE);
    if let Some(content_type) = content_type.as_deref().filter(|content_type| !is_json(content_type)) {
        return Err(format!("the data is `{content_type}`, and only JSON is read"));
    }
    let payload = match (data, base64) {
        (None, None) => null(),
        (Some(data), None) => PayloadBytes::InBody(range_within(body, data.get())),
        (None, Some(data)) if content_type.is_some() => decode_base64(data)?,
        (None, Some(_)) => {
            return Err(format!("`data_base64` is of an unknown type: there is no `{DATA_CONTENT_TYPE}`"));
        }
        (Some(_), Some(_)) => return Err("there are both `data` and `data_base64`".to_owned()),
    };
    Ok(Found { attributes, payload })
}

/// The text of an attribute: numbers and truth values in their canonical form, as in binary mode; none for `null`.
fn text_of<'m>(name: &str, json: &'m str) -> Result<Option<Cow<'m, str>>, String> {
    match json.as_bytes().first() {
        Some(b'{' | b'[') => Err(format!("the attribute `{name}` is no text, number or truth value")),
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(text) => Ok(Some(Cow::Owned(text))),
            Err(error) => Err(format!("the attribute `{name}` is no text: {error}")),
        },
        _ => Ok(Some(json).filter(|json| *json != "null").map(Cow::Borrowed)),
    }
}

fn decode_base64(data: &RawValue) -> Result<PayloadBytes, String> {
    let text: Option<String> = serde_json::from_str(data.get()).ok();
    let bytes = text.and_then(|text| base64::decode(text.as_bytes()));
    bytes.map(|bytes| PayloadBytes::Own(bytes.into())).ok_or_else(|| "`data_base64` is no base64".to_owned())
}
