//! The default wire format: one JSON object an event, readable by services in any language.
//!
//! ```json
//! {"eventId":"…","eventType":"OrderCreated","aggregateId":"42","aggregateType":"Order",
//!  "timestamp":"2026-01-02T03:04:05.678Z","version":2,"minor":1,"sequence":7,
//!  "payload":{…},"metadata":{"userId":"…","correlationId":"…","causationId":"…","traceparent":"…"}}
//! ```
//!
//! `minor`, `sequence`, the members of `metadata` and `metadata` itself are optional. Fields that are not ours
//! are kept and written again.

use std::cell::Cell;

use bytes::Bytes;
use jiff::fmt::temporal::DateTimePrinter;

use super::native_decode::read_envelope;
use super::{Codec, Decoded, EncodePayload, Encoded};
use crate::event::EventType;
use crate::message::{Header, Message};
use crate::metadata::{Extensions, Metadata};
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

const TIME: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

/// The default codec: the envelope as one JSON object, event type and correlation id in headers too.
#[derive(Debug, Clone, Copy, Default)]
pub struct NativeJson;

impl Codec for NativeJson {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn encode(&self, _topic: &str, head: &Head, payload: &dyn EncodePayload) -> Result<Encoded, Error> {
        let mut scratch = SCRATCH.take();
        scratch.clear();
        let written = write_envelope(&mut scratch, head, payload);
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

    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error> {
        read_envelope(&message.body, expected).map_err(|error| {
            let what =
                format!("reading an envelope of {} bytes from topic `{}`", message.body.len(), message.topic);
            Error::new(ErrorKind::Decode, what).with_source(error)
        })
    }

    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str> {
        message.header_str(EVENT_TYPE_HEADER)
    }
}

fn headers(head: &Head) -> Vec<Header> {
    let event_type = match &head.event_type {
        std::borrow::Cow::Borrowed(name) => Bytes::from_static(name.as_bytes()),
        std::borrow::Cow::Owned(name) => Bytes::copy_from_slice(name.as_bytes()),
    };
    let correlation_id = head.correlation_id().with_str(|id| Bytes::copy_from_slice(id.as_bytes()));
    vec![Header::new(EVENT_TYPE_HEADER, event_type), Header::new(CORRELATION_ID_HEADER, correlation_id)]
}

fn write_envelope(
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
    let _ = TIME.print_timestamp(&head.time, &mut *out);
    out.extend_from_slice(b"\",\"version\":");
    write_number(out, head.version.major.into())?;
    if head.version.minor > 0 {
        out.extend_from_slice(b",\"minor\":");
        write_number(out, head.version.minor.into())?;
    }
    if let Some(sequence) = head.sequence {
        out.extend_from_slice(b",\"sequence\":");
        write_number(out, sequence)?;
    }
    out.extend_from_slice(b",\"payload\":");
    payload.write_json(out)?;
    write_metadata(out, &head.metadata)?;
    write_extensions(out, &head.extensions)?;
    out.push(b'}');
    Ok(())
}

fn write_metadata(out: &mut Vec<u8>, metadata: &Metadata) -> Result<(), serde_json::Error> {
    out.extend_from_slice(b",\"metadata\":{");
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
    write_extensions(out, &metadata.extensions)?;
    // Every member was written behind a comma; the first one has none.
    if out.len() > empty {
        out.remove(empty);
    }
    out.push(b'}');
    Ok(())
}

fn write_extensions(out: &mut Vec<u8>, extensions: &Extensions) -> Result<(), serde_json::Error> {
    for (name, value) in extensions.iter() {
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

fn write_number(out: &mut Vec<u8>, number: u64) -> Result<(), serde_json::Error> {
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
