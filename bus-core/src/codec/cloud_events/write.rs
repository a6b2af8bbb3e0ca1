//! From an envelope to headers and a body, in binary mode.

use std::borrow::Cow;
use std::error::Error as StdError;

use bytes::Bytes;

use super::attribute::{
    AGGREGATE_SEQUENCE, AGGREGATE_TYPE, Attribute, Binding, CAUSATION_ID, CORRELATION_ID, DATA_SCHEMA,
    DATA_VERSION, ID, REST, SOURCE, SPEC_VERSION, SUBJECT, TIME, TRACE_PARENT, TRACE_STATE, TYPE, USER_ID,
    is_reserved,
};
use super::lawful::{is_name, is_text, is_uri, is_uri_reference, push_segment};
use super::rest::{Rest, fields};
use super::{CONTENT_TYPE_HEADER, SOURCE_PAIR};
use crate::codec::native_json::TIME_FORMAT;
use crate::codec::{Destination, bytes_of};
use crate::message::Header;
use crate::metadata::Metadata;
use crate::{Head, Id};

type Cause = Box<dyn StdError + Send + Sync>;

/// Writes the envelope of an event whose body is of the media type `content_type`; the error says why there is no CloudEvent of
/// it.
pub(super) fn headers(
    binding: Binding,
    to: Destination<'_>,
    head: &Head,
    content_type: &'static str,
) -> Result<Vec<Header>, Cause> {
    let mut headers = Headers { binding, list: Vec::with_capacity(16), rest: Rest::default() };
    headers.list.push(Header::new(CONTENT_TYPE_HEADER, Bytes::from_static(content_type.as_bytes())));
    headers.push(&SPEC_VERSION, Bytes::from_static(b"1.0"));
    headers.require(&ID, id_text(&head.event_id))?;
    headers.require(&TYPE, bytes_of(&head.event_type))?;
    headers.push(&SOURCE, source(to, head));
    headers.text(&SUBJECT, &head.aggregate_id);
    headers.push(&TIME, TIME_FORMAT.timestamp_to_string(&head.time));
    headers.text(&AGGREGATE_TYPE, &*head.aggregate_type);
    headers.push(&DATA_VERSION, head.version.to_string());
    if let Some(sequence) = head.sequence {
        headers.push(&AGGREGATE_SEQUENCE, sequence.to_string());
    }
    headers.metadata(&head.metadata);
    headers.rest.extensions = fields(&head.extensions);
    Ok(headers.finish()?)
}

/// The source that the event came with, or else this service and the aggregate type.
fn source(to: Destination<'_>, head: &Head) -> String {
    if let Some(source) = given_source(&head.metadata) {
        return source.to_owned();
    }
    let mut source = String::with_capacity(1 + to.service.len() + 1 + head.aggregate_type.len());
    for segment in [to.service, &head.aggregate_type] {
        // Two slashes at the start would make a host name of what follows.
        if !segment.is_empty() {
            push_segment(&mut source, segment);
        }
    }
    if source.is_empty() { "/".to_owned() } else { source }
}

fn given_source(metadata: &Metadata) -> Option<&str> {
    metadata.pairs.get(SOURCE_PAIR).map(String::as_str).filter(|source| is_uri_reference(source))
}

fn id_text(id: &Id) -> Bytes {
    id.with_str(|text| Bytes::copy_from_slice(text.as_bytes()))
}

/// The headers that are written so far, and what no header can hold.
struct Headers<'a> {
    binding: Binding,
    list: Vec<Header>,
    rest: Rest<'a>,
}

impl<'a> Headers<'a> {
    /// Writes an attribute whose value is known to be allowed.
    fn push(&mut self, attribute: &Attribute, value: impl Into<Bytes>) {
        self.list.push(Header::new(self.binding.header(attribute), value));
    }

    /// Writes an attribute that every event must have.
    fn require(&mut self, attribute: &Attribute, value: Bytes) -> Result<(), Cause> {
        if !std::str::from_utf8(&value).is_ok_and(is_text) {
            let what = format!(
                "the attribute `{}` must be text without control characters, and not be empty",
                attribute.name
            );
            return Err(what.into());
        }
        self.push(attribute, value);
        Ok(())
    }

    /// Writes an attribute of any text.
    fn text(&mut self, attribute: &Attribute, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        if is_text(&value) {
            self.push(attribute, value.into_owned());
        } else {
            self.rest.attributes.insert(attribute.name.into(), value);
        }
    }

    fn metadata(&mut self, metadata: &'a Metadata) {
        if let Some(user) = &metadata.user_id {
            self.text(&USER_ID, user);
        }
        if let Some(id) = &metadata.correlation_id {
            self.text(&CORRELATION_ID, id.to_string());
        }
        if let Some(id) = &metadata.causation_id {
            self.text(&CAUSATION_ID, id.to_string());
        }
        if let Some(trace) = &metadata.trace {
            self.text(&TRACE_PARENT, &trace.parent);
            if let Some(state) = &trace.state {
                self.text(&TRACE_STATE, state);
            }
        }
        // It is in the attribute already.
        let is_source = |name: &str| name == SOURCE_PAIR && given_source(metadata).is_some();
        for (name, value) in metadata.pairs.iter().filter(|(name, _)| !is_source(name)) {
            self.pair(name, value);
        }
        self.rest.metadata = fields(&metadata.extensions);
    }

    fn pair(&mut self, name: &'a str, value: &'a str) {
        let is_attribute = is_name(name) && !is_reserved(name) && is_text(value);
        if is_attribute && (name != DATA_SCHEMA || is_uri(value)) {
            let header = format!("{}{name}", self.binding.prefixes()[0]);
            self.list.push(Header::new(header, value.to_owned()));
        } else {
            self.rest.pairs.insert(name.into(), value.into());
        }
    }

    fn finish(mut self) -> Result<Vec<Header>, serde_json::Error> {
        if let Some(rest) = self.rest.to_text()? {
            self.push(&REST, rest);
        }
        Ok(self.list)
    }
}
