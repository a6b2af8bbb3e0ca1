//! From attributes to an envelope, with what is taken for granted where they do not say it.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::SOURCE_PAIR;
use super::attribute::{
    AGGREGATE_SEQUENCE, AGGREGATE_TYPE, Attributes, Binding, CAUSATION_ID, CORRELATION_ID, DATA_VERSION, ID,
    REST, SOURCE, SPEC_VERSION, SUBJECT, TIME, TRACE_PARENT, TRACE_STATE, TYPE, USER_ID,
};
use super::binary::Found;
use super::lawful::segment_text;
use super::rest::{Rest, extensions};
use crate::codec::{Decoded, known_or_owned};
use crate::event::{EventType, Version};
use crate::message::Message;
use crate::metadata::{Metadata, TraceContext};
use crate::{Head, Id};

/// Reads the event out of `found` in `message`; the error names what is missing or damaged.
pub(super) fn decode(
    binding: Binding,
    found: Found<'_>,
    message: &Message,
    expected: Option<&'static EventType>,
) -> Result<Decoded, String> {
    let Found { attributes, payload } = found;
    Ok(Decoded { head: Arc::new(head(binding, attributes, message, expected)?), payload })
}

/// Reads the envelope out of the `attributes` of `message`; the error names what is missing or damaged.
pub(super) fn head(
    binding: Binding,
    mut attributes: Attributes<'_>,
    message: &Message,
    expected: Option<&'static EventType>,
) -> Result<Head, String> {
    let spec_version = attributes.take_required(&SPEC_VERSION, binding)?;
    if spec_version != "1.0" {
        return Err(format!("the event is of CloudEvents {spec_version}, and only 1.0 is read"));
    }
    let event_id = Id::from(&*attributes.take_required(&ID, binding)?);
    let event_type = attributes.take_required(&TYPE, binding)?;
    let source = attributes.take_required(&SOURCE, binding)?;
    let rest = attributes.take(&REST).map(|text| Rest::from_text(&text)).transpose()?.unwrap_or_default();
    for (name, value) in rest.attributes {
        attributes.insert(name, value);
    }
    let aggregate_type = attributes.take(&AGGREGATE_TYPE).unwrap_or_else(|| aggregate_type_of(&source));
    let subject = attributes.take(&SUBJECT).map(Cow::into_owned);
    let time = attributes.take(&TIME).map(|text| time(&text)).transpose()?;
    let version = attributes.take(&DATA_VERSION).map(|text| version(&text)).transpose()?;
    let sequence = attributes.take(&AGGREGATE_SEQUENCE).map(|text| sequence(&text)).transpose()?;
    let mut metadata = metadata(&mut attributes);
    metadata.pairs.extend(attributes.into_others());
    metadata.pairs.insert(SOURCE_PAIR.to_owned(), source.into_owned());
    let pairs = rest.pairs.into_iter();
    metadata.pairs.extend(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())));
    metadata.extensions = extensions(rest.metadata);
    Ok(Head {
        event_type: known_or_owned(event_type, expected.map(EventType::name)),
        aggregate_type: known_or_owned(aggregate_type, expected.map(EventType::aggregate)),
        aggregate_id: subject.unwrap_or_else(|| key_or_id(message, &event_id)),
        time: time.unwrap_or(message.time),
        version: version.unwrap_or(Version::new(1, 0)),
        sequence,
        metadata,
        extensions: extensions(rest.extensions),
        event_id,
    })
}

fn metadata(attributes: &mut Attributes<'_>) -> Metadata {
    let state = attributes.take(&TRACE_STATE).map(Cow::into_owned);
    Metadata {
        user_id: attributes.take(&USER_ID).map(Cow::into_owned),
        correlation_id: attributes.take(&CORRELATION_ID).map(|text| Id::from(&*text)),
        causation_id: attributes.take(&CAUSATION_ID).map(|text| Id::from(&*text)),
        trace: attributes
            .take(&TRACE_PARENT)
            .map(|parent| TraceContext { parent: parent.into_owned(), state }),
        ..Metadata::default()
    }
}

/// The last segment of the path of `source`, or all of it where it has none that says anything.
fn aggregate_type_of<'s>(source: &str) -> Cow<'s, str> {
    let path = source.split(['?', '#']).next().unwrap_or_default();
    let segment = path.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or(source);
    Cow::Owned(segment_text(segment).unwrap_or_else(|| segment.to_owned()))
}

fn key_or_id(message: &Message, id: &Id) -> String {
    let key = message.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
    key.filter(|key| !key.is_empty()).map_or_else(|| id.to_string(), str::to_owned)
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|error| format!("`{}` is no RFC 3339 time with a zone: {error}", TIME.name))
}

fn version(text: &str) -> Result<Version, String> {
    text.parse().map_err(|error| format!("`{}` cannot be read: {error}", DATA_VERSION.name))
}

fn sequence(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{}` is `{text}`, and must be a whole number", AGGREGATE_SEQUENCE.name))
}
