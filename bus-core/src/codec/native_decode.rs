//! Reading the native JSON envelope: the payload is cut out, left unread, and read once, by whoever wants its fields.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use memchr::memmem::Finder;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::brackets::end_of_brackets;
use super::{Decoded, PayloadBytes, known_or_owned, range_within};
use crate::Head;
use crate::event::{EventType, Version};
use crate::metadata::{Extensions, Metadata, TraceContext};

/// Reads the envelope in `body`, where `SEQUENCED` as a [`SequencedJson`](super::SequencedJson) writes it. Names that are
/// those of `expected` are not copied.
pub(super) fn read_envelope<const SEQUENCED: bool>(
    body: &[u8],
    expected: Option<&'static EventType>,
) -> Result<Decoded, serde_json::Error> {
    // Text that is known to be UTF-8 as a whole need not be checked string by string.
    let Ok(text) = std::str::from_utf8(body) else {
        let wire = read_wire::<_, SEQUENCED>(serde_json::Deserializer::from_slice(body), expected)?;
        return Ok(wire.in_whole(body));
    };
    let around = |payload| read_around::<SEQUENCED>(text, payload, expected);
    if let Some(decoded) = find_payload(text).and_then(around) {
        return Ok(decoded);
    }
    let wire = read_wire::<_, SEQUENCED>(serde_json::Deserializer::from_str(text), expected)?;
    Ok(wire.in_whole(body))
}

fn read_wire<'a, R: serde_json::de::Read<'a>, const SEQUENCED: bool>(
    mut json: serde_json::Deserializer<R>,
    expected: Option<&'static EventType>,
) -> Result<Wire<'a>, serde_json::Error> {
    let wire = WireSeed::<SEQUENCED> { expected }.deserialize(&mut json)?;
    json.end()?;
    Ok(wire)
}

/// Reads the envelope with the payload cut out, so that the payload is looked at in detail only once, by whoever wants
/// its fields. None where the cut was not that of the envelope's own payload, or anything else is out of the ordinary.
fn read_around<const SEQUENCED: bool>(
    text: &str,
    payload: Range<usize>,
    expected: Option<&'static EventType>,
) -> Option<Decoded> {
    const HOLE: &str = "null";
    let mut scratch = SCRATCH.take();
    scratch.clear();
    scratch.push_str(&text[..payload.start]);
    scratch.push_str(HOLE);
    scratch.push_str(&text[payload.end..]);
    let hole = payload.start..payload.start + HOLE.len();
    let wire = read_wire::<_, SEQUENCED>(serde_json::Deserializer::from_str(&scratch), expected).ok();
    let wire = wire.filter(|wire| range_within(scratch.as_bytes(), wire.payload.get()) == hole);
    let decoded = wire.map(|wire| Decoded { head: wire.head, payload: PayloadBytes::InBody(payload) });
    if scratch.capacity() <= LARGE {
        SCRATCH.set(scratch);
    }
    decoded
}

/// Where the object or array behind the first key `payload` lies: up to the bracket that closes it. Quotes that are not
/// escaped are never inside a string, but the key may be another object's, which shows when the rest is read.
fn find_payload(text: &str) -> Option<Range<usize>> {
    static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"payload\":"));
    let bytes = text.as_bytes();
    let start = KEY.find(bytes)? + KEY.needle().len();
    if !matches!(bytes.get(start)?, b'{' | b'[') {
        return None;
    }
    end_of_brackets(bytes, start).map(|end| start..end)
}

/// A buffer larger than this is not kept for the next event.
const LARGE: usize = 64 << 10;

thread_local! {
    /// Where envelopes are put together without their payload.
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// An envelope with its payload as it stands in the text.
struct Wire<'a> {
    head: Arc<Head>,
    payload: &'a RawValue,
}

impl Wire<'_> {
    /// What was found, where `body` is what was read.
    fn in_whole(self, body: &[u8]) -> Decoded {
        Decoded { payload: PayloadBytes::InBody(range_within(body, self.payload.get())), head: self.head }
    }
}

struct WireSeed<const SEQUENCED: bool> {
    expected: Option<&'static EventType>,
}

impl<'de, const SEQUENCED: bool> DeserializeSeed<'de> for WireSeed<SEQUENCED> {
    type Value = Wire<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Wire<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const SEQUENCED: bool> Visitor<'de> for WireSeed<SEQUENCED> {
    type Value = Wire<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope: an object with `eventId`, `eventType`, `payload` and more")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wire<'de>, A::Error> {
        let mut event_id = None;
        let (mut event_type, mut aggregate_id, mut aggregate_type) = (None, None, None);
        let (mut time, mut version, mut major, mut minor, mut sequence) = (None, None, None, None, None);
        let (mut payload, mut metadata, mut extensions) = (None, None, Extensions::default());
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "eventId" => event_id = Some(map.next_value()?),
                "eventType" => event_type = Some(map.next_value::<Text<'de>>()?.0),
                "aggregateId" => aggregate_id = Some(map.next_value::<Text<'de>>()?.0),
                "aggregateType" => aggregate_type = Some(map.next_value::<Text<'de>>()?.0),
                "timestamp" => time = Some(map.next_value::<Time>()?.0),
                "version" if SEQUENCED => version = Some(map.next_value()?),
                "version" => major = Some(map.next_value()?),
                "major" if SEQUENCED => major = map.next_value()?,
                "minor" => minor = map.next_value()?,
                "sequence" if !SEQUENCED => sequence = map.next_value()?,
                "payload" => payload = Some(map.next_value()?),
                "metadata" => metadata = map.next_value::<Option<WireMetadata>>()?,
                _ => extensions.insert(key.into_owned(), map.next_value()?),
            }
        }
        let missing = <A::Error as de::Error>::missing_field;
        let event_type = event_type.ok_or_else(|| missing("eventType"))?;
        let aggregate_type = aggregate_type.ok_or_else(|| missing("aggregateType"))?;
        if SEQUENCED {
            let place: u64 = version.ok_or_else(|| missing("version"))?;
            (sequence, major) = ((place > 0).then_some(place), major.or(Some(1)));
        }
        let head = Arc::new(Head {
            event_id: event_id.ok_or_else(|| missing("eventId"))?,
            event_type: known_or_owned(event_type, self.expected.map(EventType::name)),
            aggregate_type: known_or_owned(aggregate_type, self.expected.map(EventType::aggregate)),
            aggregate_id: aggregate_id.ok_or_else(|| missing("aggregateId"))?.into_owned(),
            time: time.ok_or_else(|| missing("timestamp"))?,
            version: Version::new(major.ok_or_else(|| missing("version"))?, minor.unwrap_or(0)),
            sequence,
            metadata: metadata.unwrap_or_default().0,
            extensions,
        });
        Ok(Wire { head, payload: payload.ok_or_else(|| missing("payload"))? })
    }
}

/// Reads metadata as it stands in an envelope.
pub(crate) fn read_metadata(json: &[u8]) -> Result<Metadata, serde_json::Error> {
    serde_json::from_slice::<WireMetadata>(json).map(|wire| wire.0)
}

#[derive(Default)]
struct WireMetadata(Metadata);

impl<'de> Deserialize<'de> for WireMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetadataVisitor)
    }
}

struct MetadataVisitor;

impl<'de> Visitor<'de> for MetadataVisitor {
    type Value = WireMetadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireMetadata, A::Error> {
        let mut metadata = Metadata::default();
        let (mut trace_parent, mut trace_state) = (None, None);
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "userId" => metadata.user_id = map.next_value()?,
                "correlationId" => metadata.correlation_id = map.next_value()?,
                "causationId" => metadata.causation_id = map.next_value()?,
                "traceparent" => trace_parent = map.next_value()?,
                "tracestate" => trace_state = map.next_value()?,
                _ => {
                    let value: &RawValue = map.next_value()?;
                    match serde_json::from_str(value.get()) {
                        Ok(text) => drop(metadata.pairs.insert(key.into_owned(), text)),
                        Err(_) => metadata.extensions.insert(key.into_owned(), value.to_owned()),
                    }
                }
            }
        }
        metadata.trace = trace_parent.map(|parent| TraceContext { parent, state: trace_state });
        Ok(WireMetadata(metadata))
    }
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// An RFC 3339 timestamp.
struct Time(Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        text.parse().map(Time).map_err(|error| {
            de::Error::custom(format_args!("`timestamp` is no RFC 3339 time with a zone: {error}"))
        })
    }
}
