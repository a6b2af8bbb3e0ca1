//! The table of headers.
//!
//! AMQP's table is sorted and its names are unique. A name that repeats is an array of its values, and an order that is not
//! the table's own is a header beside: for each header in the table's order, its place in the message.
//!
//! Some names mean something to RabbitMQ (`CC` routes, `x-delivery-count` counts), and some are our own: a message's headers
//! of these names travel under a prefix.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::codec::{CONTENT_TYPE_HEADER, CORRELATION_ID_HEADER, EVENT_TYPE_HEADER};
use jitney_core::message::{Header, Message};
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};

use super::Unwritable;

/// Carries the key.
pub(crate) const KEY_HEADER: &str = "jitney-amqp-key";
/// Carries the order of headers.
const ORDER: &str = "jitney-amqp-order";
/// What the names of headers of ours begin with.
const OURS: &str = "jitney-amqp-";
/// What stands before the name of a header that means something else to RabbitMQ or to us.
const ESCAPE: &str = "jitney-amqp-header-";

/// These come first, in the order in which codecs write them; their names need not be copied.
const FIRST: &[&str] = &[CONTENT_TYPE_HEADER, EVENT_TYPE_HEADER, CORRELATION_ID_HEADER];

/// About what a header takes beside its name and value.
const OVERHEAD: usize = 6;

/// A table, and about how many bytes it takes.
pub(super) struct Written {
    pub(super) table: FieldTable,
    pub(super) bytes: usize,
}

/// Writes key and headers.
pub(super) fn write(message: &Message) -> Result<Written, Unwritable> {
    let headers = &message.headers;
    let (mut table, mut bytes) = (FieldTable::default(), 0);
    let mut insert = |name: ShortString, value: AMQPValue, size: usize| {
        bytes += name.as_str().len() + size + OVERHEAD;
        table.insert(name, value);
    };
    if let Some(key) = &message.key {
        insert(KEY_HEADER.into(), long(key), key.len());
    }
    if headers.windows(2).all(|pair| rank(&pair[0].name) < rank(&pair[1].name)) {
        for Header { name, value } in headers {
            insert(written_name(name)?, long(value), value.len());
        }
    } else {
        let mut order: Vec<usize> = (0..headers.len()).collect();
        order.sort_by_key(|place| rank(&headers[*place].name));
        for same in order.chunk_by(|a, b| headers[*a].name == headers[*b].name) {
            let name = written_name(&headers[same[0]].name)?;
            let size = same.iter().map(|place| headers[*place].value.len() + OVERHEAD).sum();
            let value = match same {
                [only] => long(&headers[*only].value),
                _ => {
                    let values: Vec<_> = same.iter().map(|place| long(&headers[*place].value)).collect();
                    AMQPValue::FieldArray(FieldArray::from(values))
                }
            };
            insert(name, value, size);
        }
        if !order.is_sorted() {
            let places: Vec<_> = order.iter().map(usize::to_string).collect();
            let places = places.join(" ");
            insert(ORDER.into(), AMQPValue::LongString(places.as_str().into()), places.len());
        }
    }
    Ok(Written { table, bytes })
}

/// Reads key and headers; of a message that is `ours`, nothing that the broker or we added.
pub(super) fn read(table: &FieldTable, is_ours: bool) -> (Option<Bytes>, Vec<Header>) {
    let mut key = None;
    let mut order = None;
    let mut headers = Vec::with_capacity(table.inner().len());
    for (written, value) in table.inner() {
        let written = written.as_str();
        let name = match written.strip_prefix(ESCAPE) {
            Some(escaped) => name(escaped),
            None if written == KEY_HEADER => {
                key = text(value);
                continue;
            }
            None if written == ORDER => {
                order = text(value);
                continue;
            }
            None if written.starts_with(OURS) || written == "x-delivery-count" => continue,
            None if is_ours && means_something(written) => continue,
            None => name(written),
        };
        match value {
            AMQPValue::FieldArray(values) => {
                let values = values.as_slice().iter().filter_map(text);
                headers.extend(values.map(|value| Header { name: name.clone(), value }));
            }
            value => headers.extend(text(value).map(|value| Header { name, value })),
        }
    }
    headers.sort_by(|a, b| rank(&a.name).cmp(&rank(&b.name)));
    (key, ordered(headers, order.as_deref()))
}

/// `headers` in the order that is written down, where it is one.
fn ordered(headers: Vec<Header>, order: Option<&[u8]>) -> Vec<Header> {
    let Some(order) = order.and_then(|order| std::str::from_utf8(order).ok()) else { return headers };
    let places: Option<Vec<usize>> = order.split(' ').map(|place| place.parse().ok()).collect();
    let Some(places) = places.filter(|places| places.len() == headers.len()) else { return headers };
    let mut placed: Vec<_> = places.into_iter().zip(headers).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, header)| header).collect()
}

/// Where a header stands in the order that need not be written down.
fn rank(name: &str) -> (usize, &str) {
    (FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len()), name)
}

fn name(name: &str) -> Cow<'static, str> {
    match FIRST.iter().find(|known| **known == name) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(name.to_owned()),
    }
}

fn written_name(name: &str) -> Result<ShortString, Unwritable> {
    let written = match means_something(name) || name.starts_with(OURS) {
        true => ShortString::try_new(format!("{ESCAPE}{name}")),
        false => ShortString::try_new(name),
    };
    written.map_err(|_| Unwritable::HeaderName(name[..name.floor_char_boundary(40)].to_owned()))
}

/// Whether RabbitMQ reads or writes headers of this name.
fn means_something(name: &str) -> bool {
    matches!(name, "CC" | "BCC" | "x-death" | "x-delivery-count")
        || name.starts_with("x-first-death-")
        || name.starts_with("x-last-death-")
}

fn long(value: &[u8]) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

/// The integer that `value` is.
pub(super) fn integer(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(value) => Some((*value).into()),
        AMQPValue::ShortShortUInt(value) => Some((*value).into()),
        AMQPValue::ShortInt(value) => Some((*value).into()),
        AMQPValue::ShortUInt(value) => Some((*value).into()),
        AMQPValue::LongInt(value) => Some((*value).into()),
        AMQPValue::LongUInt(value) => Some((*value).into()),
        AMQPValue::LongLongInt(value) => Some(*value),
        _ => None,
    }
}

/// The bytes of `value`, or its canonical text; none for tables, and arrays within arrays.
fn text(value: &AMQPValue) -> Option<Bytes> {
    let text = match value {
        AMQPValue::LongString(value) => return Some(Bytes::copy_from_slice(value.as_bytes())),
        AMQPValue::ByteArray(value) => return Some(Bytes::copy_from_slice(value.as_slice())),
        AMQPValue::ShortString(value) => value.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::Float(value) => value.to_string(),
        AMQPValue::Double(value) => value.to_string(),
        AMQPValue::Timestamp(seconds) => {
            let seconds = i64::try_from(*seconds).ok()?;
            Timestamp::from_second(seconds).ok()?.to_string()
        }
        AMQPValue::Void => String::new(),
        other => integer(other)?.to_string(),
    };
    Some(Bytes::from(text))
}
