//! Writing a detail.

use jiff::fmt::temporal::DateTimePrinter;
use jitney_core::Head;
use jitney_core::codec::EncodePayload;
use serde_json::value::RawValue;

use super::metadata::is_reserved;
use crate::members::{Members, push_text};

/// RFC 3339, in UTC and milliseconds.
const TIME_FORMAT: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// The detail of an event.
pub(super) fn detail(head: &Head, payload: &dyn EncodePayload) -> Result<String, serde_json::Error> {
    let mut written = Vec::with_capacity(512);
    payload.write_json(&mut written)?;
    let payload = std::str::from_utf8(&written)
        .map_err(|_| <serde_json::Error as serde::ser::Error>::custom("the payload is not UTF-8"))?;
    // As it is written, it must be JSON: EventBridge would refuse the event.
    let payload: &RawValue = serde_json::from_str(payload)?;
    let mut out = String::with_capacity(payload.get().len() + 512);
    match Members::read(payload.get()) {
        Ok(fields) if fields.get("metadata").is_none() && fields.get("payload").is_none() => {
            let open = payload.get().strip_suffix('}').unwrap_or(payload.get()).trim_ascii_end();
            out.push_str(open);
            if open.len() > 1 {
                out.push(',');
            }
        }
        _ => {
            out.push_str("{\"payload\":");
            out.push_str(payload.get());
            out.push(',');
        }
    }
    out.push_str("\"metadata\":");
    metadata(&mut out, head);
    out.push('}');
    Ok(out)
}

fn metadata(out: &mut String, head: &Head) {
    out.push('{');
    let start = out.len();
    head.event_id.with_str(|id| text(out, start, "eventId", id));
    text(out, start, "eventType", &head.event_type);
    text(out, start, "aggregateId", &head.aggregate_id);
    text(out, start, "aggregateType", &head.aggregate_type);
    let mut time = String::with_capacity(24);
    // Printing into a string cannot fail.
    let _ = TIME_FORMAT.print_timestamp(&head.time, &mut time);
    text(out, start, "timestamp", &time);
    raw(out, start, "version", &head.version.major.to_string());
    if head.version.minor > 0 {
        raw(out, start, "minor", &head.version.minor.to_string());
    }
    if let Some(sequence) = head.sequence {
        raw(out, start, "sequence", &sequence.to_string());
    }
    let metadata = &head.metadata;
    if let Some(user) = &metadata.user_id {
        text(out, start, "userId", user);
    }
    if let Some(id) = &metadata.correlation_id {
        id.with_str(|id| text(out, start, "correlationId", id));
    }
    if let Some(id) = &metadata.causation_id {
        id.with_str(|id| text(out, start, "causationId", id));
    }
    if let Some(trace) = &metadata.trace {
        text(out, start, "traceparent", &trace.parent);
        if let Some(state) = &trace.state {
            text(out, start, "tracestate", state);
        }
    }
    for (name, value) in metadata.pairs.iter().filter(|(name, _)| !is_reserved(name)) {
        text(out, start, name, value);
    }
    for (name, value) in metadata.extensions.iter().filter(|(name, _)| !is_reserved(name)) {
        raw(out, start, name, value.get());
    }
    displaced(out, start, head);
    out.push('}');
}

/// What has no place of its own in `metadata`: fields beside it in the envelope, and those whose name is taken.
fn displaced(out: &mut String, start: usize, head: &Head) {
    let metadata = &head.metadata;
    let mut envelope = String::from("{");
    let mut pairs = String::from("{");
    for (name, value) in metadata.pairs.iter().filter(|(name, _)| is_reserved(name)) {
        text(&mut pairs, 1, name, value);
    }
    let mut extensions = String::from("{");
    for (name, value) in metadata.extensions.iter().filter(|(name, _)| is_reserved(name)) {
        raw(&mut extensions, 1, name, value.get());
    }
    let mut fields = String::from("{");
    for (name, value) in head.extensions.iter() {
        raw(&mut fields, 1, name, value.get());
    }
    for (name, mut object) in [("pairs", pairs), ("metadata", extensions), ("fields", fields)] {
        if object.len() > 1 {
            object.push('}');
            raw(&mut envelope, 1, name, &object);
        }
    }
    if envelope.len() > 1 {
        envelope.push('}');
        raw(out, start, "envelope", &envelope);
    }
}

/// Appends a text to the object that begins at `start`.
fn text(out: &mut String, start: usize, name: &str, value: &str) {
    key(out, start, name);
    push_text(out, value);
}

/// Appends what is JSON already.
fn raw(out: &mut String, start: usize, name: &str, value: &str) {
    key(out, start, name);
    out.push_str(value);
}

fn key(out: &mut String, start: usize, name: &str) {
    if out.len() > start {
        out.push(',');
    }
    push_text(out, name);
    out.push(':');
}
