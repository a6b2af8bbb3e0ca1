//! What a queue's body says: EventBridge's envelope around a detail, or the bare detail.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::Id;
use serde_json::value::RawValue;

use crate::detail::metadata::Facts;
use crate::members::{Members, is_object, text};

/// A body, read as far as is needed to know whose event it is.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    /// EventBridge's envelope, where the rule's target left it.
    pub(crate) outer: Option<Outer<'a>>,
    pub(crate) detail: Detail<'a>,
}

/// What EventBridge's envelope says beside the detail.
#[derive(Debug)]
pub(crate) struct Outer<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) source: Cow<'a, str>,
    pub(crate) detail_type: Cow<'a, str>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) resource: Option<String>,
    /// The name of the replay that brought the event, if one did.
    pub(crate) replay: Option<Cow<'a, str>>,
}

/// The detail of an event: a JSON object.
#[derive(Debug)]
pub(crate) struct Detail<'a> {
    pub(crate) text: &'a str,
    pub(crate) members: Members<'a>,
    /// The member `metadata`, where it is an object.
    pub(crate) metadata: Option<Members<'a>>,
}

/// Who wrote a detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// A service that puts the whole envelope into `metadata`.
    Jitney,
    /// A service that puts user, correlation and causation there, and no more.
    Plain,
    /// A system that knows nothing of envelopes: an AWS service, a SaaS partner.
    Foreign,
}

/// Why a body is not one.
#[derive(Debug)]
pub(crate) enum BadBody {
    NotText(std::str::Utf8Error),
    NotJson(serde_json::Error),
}

impl std::fmt::Display for BadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is neither EventBridge's envelope nor a detail, which is a JSON object")
    }
}

impl std::error::Error for BadBody {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BadBody::NotText(error) => Some(error),
            BadBody::NotJson(error) => Some(error),
        }
    }
}

impl<'a> Body<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, BadBody> {
        let text = std::str::from_utf8(body).map_err(BadBody::NotText)?;
        let members = Members::read(text).map_err(BadBody::NotJson)?;
        if let Some((outer, detail)) = Outer::find(&members) {
            let detail = Detail::read(detail.get()).map_err(BadBody::NotJson)?;
            return Ok(Body { outer: Some(outer), detail });
        }
        Ok(Body { outer: None, detail: Detail::of(text.trim_ascii(), members) })
    }

    /// Who wrote it. Sources for which `is_foreign` says so are foreign, whatever they send.
    pub(crate) fn author(&self, is_foreign: impl Fn(&str) -> bool) -> Author {
        let source = self.outer.as_ref().map(|outer| &*outer.source);
        if source.is_some_and(is_foreign) {
            return Author::Foreign;
        }
        let metadata = self.detail.metadata.as_ref();
        if metadata.is_some_and(|metadata| metadata.text("eventId").is_some()) {
            return Author::Jitney;
        }
        match source {
            Some(source) if source.starts_with("aws.") => Author::Foreign,
            _ => Author::Plain,
        }
    }

    /// What the detail's metadata says, as its author means it.
    pub(crate) fn facts(&self, author: Author) -> Result<Facts, serde_json::Error> {
        match (&self.detail.metadata, author) {
            (Some(metadata), Author::Jitney) => Facts::read(metadata),
            (Some(metadata), Author::Plain) => Ok(Facts::read_leniently(metadata)),
            (None, _) | (_, Author::Foreign) => Ok(Facts::default()),
        }
    }

    /// The aggregate type, where the detail's metadata does not say it.
    pub(crate) fn aggregate_type(&self, author: Author) -> Option<&str> {
        let source = &*self.outer.as_ref()?.source;
        match author {
            Author::Foreign => Some(source),
            Author::Jitney | Author::Plain => Some(source.rsplit('.').next().unwrap_or(source)),
        }
    }

    /// The aggregate's id, where the detail's metadata does not say it: the first resource that the event is about, or the
    /// event itself.
    pub(crate) fn aggregate_id(&self) -> Option<&str> {
        let outer = self.outer.as_ref()?;
        outer.resource.as_deref().or(outer.id.as_deref())
    }

    /// EventBridge's id of the event.
    pub(crate) fn id(&self) -> Option<Id> {
        self.outer.as_ref()?.id.as_deref().map(Id::from)
    }
}

impl<'a> Outer<'a> {
    /// EventBridge's envelope and the detail in it, where `members` are those of one.
    fn find(members: &Members<'a>) -> Option<(Self, &'a RawValue)> {
        // A detail of ours may have fields of any name; the envelope has no metadata.
        if members.get("metadata").is_some() {
            return None;
        }
        let detail = members.get("detail").filter(|detail| is_object(detail))?;
        let resources = members.get("resources");
        let resources = resources.and_then(|list| serde_json::from_str::<Vec<String>>(list.get()).ok());
        let outer = Outer {
            source: members.text("source")?,
            detail_type: members.text("detail-type")?,
            id: members.text("id"),
            time: members.text("time").and_then(|time| time.parse().ok()),
            resource: resources.and_then(|list| list.into_iter().next()),
            replay: members.text("replay-name"),
        };
        Some((outer, detail))
    }
}

impl<'a> Detail<'a> {
    pub(crate) fn read(text: &'a str) -> Result<Self, serde_json::Error> {
        Ok(Detail::of(text, Members::read(text)?))
    }

    fn of(text: &'a str, members: Members<'a>) -> Self {
        let metadata = members.get("metadata").and_then(|metadata| Members::read(metadata.get()).ok());
        Detail { text, members, metadata }
    }

    /// The payload as its publisher had it.
    pub(crate) fn payload(&self, author: Author) -> Payload<'a> {
        match author {
            Author::Foreign => Payload::AsItIs(self.text),
            // Our publishers put a payload with such a field under it as a whole.
            Author::Jitney if let Some(whole) = self.members.get("payload") => Payload::AsItIs(whole.get()),
            // What is no object is the payload's own.
            Author::Jitney | Author::Plain if self.metadata.is_none() => Payload::AsItIs(self.text),
            Author::Jitney | Author::Plain => Payload::Rebuilt(self.members.without("metadata").into()),
        }
    }

    /// The name of the event type in `metadata`.
    pub(crate) fn event_type(&self) -> Option<Cow<'a, str>> {
        self.metadata.as_ref()?.get("eventType").and_then(text)
    }
}

/// A payload: a part of the body, or put together anew.
pub(crate) enum Payload<'a> {
    AsItIs(&'a str),
    Rebuilt(Bytes),
}
