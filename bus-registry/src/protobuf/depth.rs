//! How deep files and messages are nested. What parses the one and reads the other calls itself for each level, and would take the whole
//! process with it where there is no end to them.

use prost_reflect::{DynamicMessage, FileDescriptor, ReflectMessage, Value};

use super::payload;
use crate::{Error, ErrorKind, MAX_PAYLOAD_DEPTH, MAX_SCHEMA_DEPTH};

/// A message that has another one in bytes.
const ANY: &str = "google.protobuf.Any";

/// Where such messages come from.
const ANY_FILE: &str = "google/protobuf/any.proto";

/// Checks a file before it is parsed: brackets of every kind, those of options in text format too, outside of comments and strings.
pub(super) fn check_file(text: &str) -> Result<(), Error> {
    let (mut rest, mut depth) = (text.as_bytes(), 0_usize);
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind.first()) {
            (b'/', Some(b'/')) => rest = behind_end(behind, b"\n"),
            (b'/', Some(b'*')) => rest = behind_end(&behind[1..], b"*/"),
            (b'"' | b'\'', _) => rest = behind_string(behind, *first),
            (b'{' | b'[' | b'(' | b'<', _) => depth += 1,
            (b'}' | b']' | b')' | b'>', _) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_SCHEMA_DEPTH {
            let why = format!("the schema is nested deeper than {MAX_SCHEMA_DEPTH}; name its inner types");
            return Err(Error::new(ErrorKind::TooDeep, why));
        }
    }
    Ok(())
}

fn behind_end<'t>(text: &'t [u8], end: &[u8]) -> &'t [u8] {
    let at = text.windows(end.len()).position(|part| part == end);
    at.map_or(&[], |at| &text[at + end.len()..])
}

fn behind_string(mut text: &[u8], quote: u8) -> &[u8] {
    while let [first, behind @ ..] = text {
        text = behind;
        match first {
            b'\\' => text = text.get(1..).unwrap_or_default(),
            // No string goes over the end of a line.
            b'\n' => break,
            first if *first == quote => break,
            _ => {}
        }
    }
    text
}

/// Whether messages of `file` may have others in bytes, which are only read where they are written as JSON.
pub(super) fn has_any(file: &FileDescriptor) -> bool {
    file.parent_pool().get_file_by_name(ANY_FILE).is_some()
}

/// Checks how deep `message` is, with those that it has in bytes.
pub(super) fn check_message(message: &DynamicMessage) -> Result<(), Error> {
    check(message, 0)
}

fn check(message: &DynamicMessage, depth: usize) -> Result<(), Error> {
    if depth > MAX_PAYLOAD_DEPTH {
        return Err(too_deep());
    }
    let descriptor = message.descriptor();
    if descriptor.full_name() == ANY {
        let (url, bytes) = (message.get_field_by_name("type_url"), message.get_field_by_name("value"));
        let (Some(url), Some(bytes)) = (url, bytes) else { return Ok(()) };
        let (Some(url), Some(bytes)) = (url.as_str(), bytes.as_bytes()) else { return Ok(()) };
        let name = url.rsplit('/').next().unwrap_or_default();
        // What is unknown, or no such message, is refused where it is written as JSON, and goes no deeper.
        return match descriptor.parent_pool().get_message_by_name(name) {
            Some(inner) => match DynamicMessage::decode(inner, bytes.clone()) {
                Ok(inner) => check(&inner, depth + 1),
                Err(_) => Ok(()),
            },
            None => Ok(()),
        };
    }
    message.fields().try_for_each(|(_, value)| check_value(value, depth + 1))
}

fn check_value(value: &Value, depth: usize) -> Result<(), Error> {
    match value {
        Value::Message(message) => check(message, depth),
        Value::List(values) => values.iter().try_for_each(|value| check_value(value, depth)),
        Value::Map(values) => values.values().try_for_each(|value| check_value(value, depth)),
        _ => Ok(()),
    }
}

/// Checks how deep the JSON text of a payload is, so that whatever is written can be read again.
pub(super) fn check_payload(json: &[u8]) -> Result<(), Error> {
    let (mut rest, mut depth) = (json, 0_usize);
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'"' => rest = behind_string(behind, b'"'),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_PAYLOAD_DEPTH {
            return Err(too_deep());
        }
    }
    Ok(())
}

fn too_deep() -> Error {
    let why = format!("it is nested deeper than {MAX_PAYLOAD_DEPTH}; store its parts as events of their own");
    Error::new(ErrorKind::TooDeep, payload(why).to_string())
}
