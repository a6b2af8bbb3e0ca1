//! From the bytes of a payload to a value, and what can go wrong on the way.

use std::error::Error as StdError;
use std::fmt;

use serde::de::DeserializeOwned;

use super::{EventType, Version};
use crate::personal::{Shown, tellable};

/// A payload as it was stored: JSON text, with the event type and version that it was written under, and the aggregate of the
/// event where that is known.
#[derive(Clone, Copy)]
pub struct StoredPayload<'a> {
    event_type: &'a str,
    version: Version,
    aggregate: Option<&'a str>,
    json: &'a [u8],
}

impl fmt::Debug for StoredPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StoredPayload { event_type, version, aggregate, json } = self;
        f.debug_struct("StoredPayload")
            .field("event_type", event_type)
            .field("version", version)
            .field("aggregate", aggregate)
            .field("json", &Shown(json))
            .finish()
    }
}

impl<'a> StoredPayload<'a> {
    /// A payload of `event_type` at `version`, in JSON; of which aggregate is not known.
    pub fn new(event_type: &'a str, version: Version, json: &'a [u8]) -> Self {
        StoredPayload { event_type, version, aggregate: None, json }
    }

    /// The same, of an event of the aggregate type `aggregate`: another one may have an event of the same name.
    #[must_use]
    pub fn of_aggregate(self, aggregate: &'a str) -> Self {
        StoredPayload { aggregate: Some(aggregate), ..self }
    }

    /// The same, of no aggregate that is known, to be told by its name alone.
    #[must_use]
    pub fn by_name(self) -> Self {
        StoredPayload { aggregate: None, ..self }
    }

    /// The name of the event type that it was written under.
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// The version that it was written under.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The aggregate type of the event, where it is known.
    pub fn aggregate(&self) -> Option<&'a str> {
        self.aggregate
    }

    /// The JSON text.
    pub fn json(&self) -> &'a [u8] {
        self.json
    }

    /// Whether this was written under the name of `event_type`, at the same major version.
    pub fn is(&self, event_type: &EventType) -> bool {
        self.version.major == event_type.version().major && self.event_type == event_type.name()
    }

    /// Whether it [is](Self::is) that, of the same aggregate, where the one of this payload is known.
    pub fn is_of(&self, event_type: &EventType) -> bool {
        self.is(event_type) && self.aggregate.is_none_or(|aggregate| aggregate == event_type.aggregate())
    }

    /// Reads the JSON as a `T`.
    ///
    /// # Errors
    ///
    /// When the text does not have the shape of `T`; the error tells line and column.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        // Text that is known to be UTF-8 as a whole need not be checked string by string.
        let text =
            std::str::from_utf8(self.json).map_err(|error| self.error(DecodeErrorKind::Payload, error))?;
        serde_json::from_str(text).map_err(|error| self.error(DecodeErrorKind::Payload, error))
    }

    /// The error of a payload that is of no type and version that the reader knows.
    pub fn unknown(&self) -> DecodeError {
        self.error(
            DecodeErrorKind::UnknownVersion,
            "no upcaster leads from it to a version that is known here",
        )
    }

    /// The error of a payload whose name several types have, none of them of its aggregate.
    pub fn unclear(&self) -> DecodeError {
        let aggregate = self.aggregate.unwrap_or_default();
        let why = format!(
            "several types that are read here have that name, and none is of the aggregate `{aggregate}`"
        );
        self.error(DecodeErrorKind::UnknownVersion, why)
    }

    /// An error of `kind` about this payload. Where the payload has [personal](crate::personal) data that is open, `source` is
    /// replaced by what [may be told](crate::personal::tellable) of it.
    pub fn error(
        &self,
        kind: DecodeErrorKind,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> DecodeError {
        let source = match kind {
            DecodeErrorKind::UnknownVersion => source.into(),
            DecodeErrorKind::Payload | DecodeErrorKind::Upcast => tellable(self.json, source),
        };
        DecodeError { kind, event_type: self.event_type.to_owned(), version: self.version, source }
    }
}

/// Why a stored event could not be read.
#[derive(Debug)]
pub struct DecodeError {
    kind: DecodeErrorKind,
    event_type: String,
    version: Version,
    source: Box<dyn StdError + Send + Sync>,
}

/// What went wrong in a [`DecodeError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The payload does not have the shape of its event type.
    Payload,
    /// The event type is known, this major version of it is not, or not from that aggregate.
    UnknownVersion,
    /// An upcaster refused the old event.
    Upcast,
}

impl DecodeError {
    /// What went wrong.
    pub fn kind(&self) -> DecodeErrorKind {
        self.kind
    }

    /// The event type that the payload was written under.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The version that the payload was written under.
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.kind {
            DecodeErrorKind::Payload => "reading the payload of",
            DecodeErrorKind::UnknownVersion => "reading an unknown version of",
            DecodeErrorKind::Upcast => "upcasting",
        };
        write!(f, "{doing} `{}` {}", self.event_type, self.version)
    }
}

impl StdError for DecodeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}
