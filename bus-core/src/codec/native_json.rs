//! The default wire format: one JSON object an event, readable by services in any language.
//!
//! ```json
//! {"eventId":"…","eventType":"OrderCreated","aggregateId":"42","aggregateType":"Order",
//!  "timestamp":"2026-01-02T03:04:05.678Z","version":2,"minor":1,"sequence":7,
//!  "payload":{…},"metadata":{"userId":"…","correlationId":"…","causationId":"…","traceparent":"…"}}
//! ```
//!
//! `version` and `minor` are the version of the payload's schema, `sequence` is the place in the aggregate's stream; a
//! [`SequencedJson`] has the place in `version` instead. `minor`, `sequence`, the members of `metadata` and `metadata`
//! itself are optional. Fields that are not ours are kept and written again.

use std::cell::Cell;

use bytes::Bytes;
use jiff::fmt::temporal::DateTimePrinter;
use serde_json::value::RawValue;

use super::native_decode::read_envelope;
use super::{Codec, Decoded, Destination, EncodePayload, Encoded, SequencedJson, bytes_of};
use crate::event::{EventType, Version};
use crate::message::{Header, Message};
use crate::metadata::Metadata;
use crate::{Error, ErrorKind, Head, Id};

/// The header that carries the name of the event type.
pub const EVENT_TYPE_HEADER: &str = "event-type";
/// The header that carries the correlation id.
pub const CORRELATION_ID_HEADER: &str = "correlation-id";

/// A buffer larger than this is not kept for the next event.
const LARGE: usize = 64 << 10;

thread_local! {
    /// Written into first, so that each body is one allocation of its own size.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// RFC 3339, in UTC and milliseconds.
pub(super) const TIME_FORMAT: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// The default codec: the envelope as one JSON object, event type and correlation id in headers too.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeJson;

impl NativeJson {
    /// The codec for topics on which `version` is the place in the aggregate's stream, and not the version of the schema.
    pub const fn version_is_sequence() -> SequencedJson {
        SequencedJson
    }
}

impl Codec for NativeJson {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn encode(
        &self,
        _to: Destination<'_>,
        head: &Head,
        payload: &dyn EncodePayload,
    ) -> Result<Encoded, Error> {
        encode::<false>(head, payload)
    }

    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error> {
        decode::<false>(message, expected)
    }

    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str> {
        message.header_str(EVENT_TYPE_HEADER)
    }
}

/// Writes an envelope, where `SEQUENCED` as a [`SequencedJson`] does.
pub(super) fn encode<const SEQUENCED: bool>(
    head: &Head,
    payload: &dyn EncodePayload,
) -> Result<Encoded, Error> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let written = write_envelope::<SEQUENCED>(&mut scratch, head, payload);
    let body = Bytes::copy_from_slice(&scratch);
    if scratch.capacity() <= LARGE {
        SCRATCH.set(scratch);
    }
    written.map_err(|error| {
        let what = format!("encoding `{}` {} as JSON", head.event_type, head.event_id);
        Error::new(ErrorKind::Encode, what).with_source(error)
    })?;
    Ok(Encoded { headers: headers(head), body })
}

/// Reads an envelope, where `SEQUENCED` as a [`SequencedJson`] does.
pub(super) fn decode<const SEQUENCED: bool>(
    message: &Message,
    expected: Option<&'static EventType>,
) -> Result<Decoded, Error> {
    read_envelope::<SEQUENCED>(&message.body, expected).map_err(|error| {
        let what =
            format!("reading an envelope of {} bytes from topic `{}`", message.body.len(), message.topic);
        Error::new(ErrorKind::Decode, what).with_source(error)
    })
}

fn headers(head: &Head) -> Vec<Header> {
    let correlation_id = head.correlation_id().with_str(|id| Bytes::copy_from_slice(id.as_bytes()));
    vec![
        Header::new(EVENT_TYPE_HEADER, bytes_of(&head.event_type)),
        Header::new(CORRELATION_ID_HEADER, correlation_id),
    ]
}

fn write_envelope<const SEQUENCED: bool>(
    out: &mut Vec<u8>,
    head: &Head,
    payload: &dyn EncodePayload,
) -> Result<(), serde_json::Error> {
    out.extend_from_slice(b"{\"eventId\":");
    write_id(out, &head.event_id)?;
    out.extend_from_slice(b",\"eventType\":");
    write_text(out, &head.event_type)?;
    out.extend_from_slice(b",\"aggregateId\":");
    write_text(out, &head.aggregate_id)?;
    out.extend_from_slice(b",\"aggregateType\":");
    write_text(out, &head.aggregate_type)?;
    out.extend_from_slice(b",\"timestamp\":\"");
    // Printing into a vector cannot fail.
    let _ = TIME_FORMAT.print_timestamp(&head.time, &mut *out);
    out.push(b'"');
    write_numbers::<SEQUENCED>(out, head)?;
    out.extend_from_slice(b",\"payload\":");
    payload.write_json(out)?;
    write_metadata(out, &head.metadata, displaced::<SEQUENCED>(head))?;
    write_fields(out, head.extensions.iter().filter(|(name, _)| !is_member::<SEQUENCED>(name)))?;
    out.push(b'}');
    Ok(())
}

/// Version and sequence. A version other than 1.0 is written where `version` is the sequence too: otherwise our own
/// readers would take the payload for one of version 1.0.
fn write_numbers<const SEQUENCED: bool>(out: &mut Vec<u8>, head: &Head) -> Result<(), serde_json::Error> {
    let Version { major, minor } = head.version;
    if SEQUENCED {
        write_number(out, "version", head.sequence.unwrap_or(0))?;
        if major != 1 {
            write_number(out, "major", major.into())?;
        }
    } else {
        write_number(out, "version", major.into())?;
    }
    if minor > 0 {
        write_number(out, "minor", minor.into())?;
    }
    if let (false, Some(sequence)) = (SEQUENCED, head.sequence) {
        write_number(out, "sequence", sequence)?;
    }
    Ok(())
}

/// Foreign fields that have the name of one of the envelope's own, as an event has that came over another wire: they go
/// into the metadata.
fn displaced<const SEQUENCED: bool>(head: &Head) -> impl Iterator<Item = (&str, &RawValue)> {
    let metadata = &head.metadata;
    head.extensions.iter().filter(|(name, _)| {
        let taken = metadata.pairs.contains_key(*name) || metadata.extensions.get(name).is_some();
        is_member::<SEQUENCED>(name) && !taken
    })
}

/// Whether `name` is one of the envelope's own fields.
fn is_member<const SEQUENCED: bool>(name: &str) -> bool {
    match name {
        "eventId" | "eventType" | "aggregateId" | "aggregateType" | "timestamp" | "version" | "minor"
        | "payload" | "metadata" => true,
        "major" => SEQUENCED,
        "sequence" => !SEQUENCED,
        _ => false,
    }
}

/// The metadata as one JSON object, as it stands in an envelope.
pub(crate) fn metadata_json(metadata: &Metadata) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::new();
    write_metadata_object(&mut out, metadata, std::iter::empty())?;
    Ok(out)
}

fn write_metadata<'a>(
    out: &mut Vec<u8>,
    metadata: &'a Metadata,
    more: impl Iterator<Item = (&'a str, &'a RawValue)>,
) -> Result<(), serde_json::Error> {
    out.extend_from_slice(b",\"metadata\":");
    write_metadata_object(out, metadata, more)
}

fn write_metadata_object<'a>(
    out: &mut Vec<u8>,
    metadata: &'a Metadata,
    more: impl Iterator<Item = (&'a str, &'a RawValue)>,
) -> Result<(), serde_json::Error> {
    out.push(b'{');
    let empty = out.len();
    if let Some(user) = &metadata.user_id {
        out.extend_from_slice(b",\"userId\":");
        write_text(out, user)?;
    }
    if let Some(id) = &metadata.correlation_id {
        out.extend_from_slice(b",\"correlationId\":");
        write_id(out, id)?;
    }
    if let Some(id) = &metadata.causation_id {
        out.extend_from_slice(b",\"causationId\":");
        write_id(out, id)?;
    }
    if let Some(trace) = &metadata.trace {
        out.extend_from_slice(b",\"traceparent\":");
        write_text(out, &trace.parent)?;
        if let Some(state) = &trace.state {
            out.extend_from_slice(b",\"tracestate\":");
            write_text(out, state)?;
        }
    }
    for (name, value) in &metadata.pairs {
        out.push(b',');
        write_text(out, name)?;
        out.push(b':');
        write_text(out, value)?;
    }
    write_fields(out, metadata.extensions.iter().chain(more))?;
    // Every member was written behind a comma; the first one has none.
    if out.len() > empty {
        out.remove(empty);
    }
    out.push(b'}');
    Ok(())
}

fn write_fields<'a>(
    out: &mut Vec<u8>,
    fields: impl Iterator<Item = (&'a str, &'a RawValue)>,
) -> Result<(), serde_json::Error> {
    for (name, value) in fields {
        out.push(b',');
        write_text(out, name)?;
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &str) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, text)
}

/// Writes the member `name`, which is not the first one.
fn write_number(out: &mut Vec<u8>, name: &str, number: u64) -> Result<(), serde_json::Error> {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    serde_json::to_writer(out, &number)
}

fn write_id(out: &mut Vec<u8>, id: &Id) -> Result<(), serde_json::Error> {
    match id.as_uuid() {
        Some(_) => {
            out.push(b'"');
            id.with_str(|text| out.extend_from_slice(text.as_bytes()));
            out.push(b'"');
            Ok(())
        }
        None => id.with_str(|text| write_text(out, text)),
    }
}
