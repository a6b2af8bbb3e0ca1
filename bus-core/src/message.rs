//! Messages: what a transport carries, before it is an event and after.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use crate::{Head, Id};

/// The name of a topic, cheap to clone.
#[derive(Clone)]
pub enum Topic {
    /// A name in the program's text.
    Static(&'static str),
    /// A name found at run time.
    Shared(Arc<str>),
}

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Topic::Static(name) => name,
            Topic::Shared(name) => name,
        }
    }
}

impl PartialEq for Topic {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Topic {}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl From<&'static str> for Topic {
    fn from(name: &'static str) -> Self {
        Topic::Static(name)
    }
}

impl From<String> for Topic {
    fn from(name: String) -> Self {
        Topic::Shared(name.into())
    }
}

/// One header: a name and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, compared letter by letter.
    pub name: Cow<'static, str>,
    /// The value; UTF-8 where it is ours.
    pub value: Bytes,
}

impl Header {
    /// A header of `name` and `value`.
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl Into<Bytes>) -> Self {
        Header { name: name.into(), value: value.into() }
    }
}

/// Bytes with a place to go: what a broker stores.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it goes, or came from.
    pub topic: Topic,
    /// What decides on partition and lane; messages of one key keep their order.
    pub key: Option<Bytes>,
    /// In the order in which they were set; names may repeat.
    pub headers: Vec<Header>,
    /// The time of the event (or of arrival, for messages of other systems that carry none).
    pub time: Timestamp,
    /// The encoded event.
    pub body: Bytes,
}

impl Message {
    /// The last header called `name`.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers.iter().rev().find(|header| header.name == name).map(|header| &header.value)
    }

    /// The last header called `name`, where it is UTF-8.
    pub fn header_str(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The bytes that this message takes in a buffer: body, key and headers.
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        self.body.len() + self.key.as_ref().map_or(0, Bytes::len) + headers
    }
}

/// A message on its way to a broker, with what a broker's own fields want to know about the event in it.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// What is to be stored.
    pub message: Message,
    /// About the event in the message; none where a message is passed on unread.
    pub attributes: Option<Attributes>,
}

/// About the event in a message.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attributes {
    /// The id of the event.
    pub event_id: Id,
    /// The name of the event type.
    pub event_type: Cow<'static, str>,
    /// The type of the aggregate.
    pub aggregate_type: Cow<'static, str>,
    /// The chain that the event belongs to.
    pub correlation_id: Id,
    /// The service that publishes it.
    pub service: Arc<str>,
}

impl Attributes {
    /// About the event of `head`, which `service` publishes.
    pub fn new(head: &Head, service: Arc<str>) -> Self {
        Attributes {
            event_id: head.event_id.clone(),
            event_type: head.event_type.clone(),
            aggregate_type: head.aggregate_type.clone(),
            correlation_id: head.correlation_id().clone(),
            service,
        }
    }
}
