//! The name, version and place of an event type, as constants.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::Serialize;

/// The version of an event type's schema: a minor step adds, a major step breaks and needs an upcaster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Readers of one major version cannot read another one.
    pub major: u32,
    /// Readers read every minor version of their major version.
    pub minor: u32,
}

impl Version {
    /// The version `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Version { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A version that is neither `"2"` nor `"2.1"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseVersionError(String);

impl fmt::Display for ParseVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no version: write `2` or `2.1`", self.0)
    }
}

impl std::error::Error for ParseVersionError {}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        match (major.parse(), minor.parse()) {
            (Ok(major), Ok(minor)) => Ok(Version { major, minor }),
            _ => Err(ParseVersionError(text.to_owned())),
        }
    }
}

/// What an event type is called, which aggregate it belongs to, its version and its topic. With the feature `schema` also its
/// [manifest](Self::manifest), which neither comparing nor serializing looks at.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventType {
    name: &'static str,
    aggregate: &'static str,
    version: Version,
    topic: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[cfg(feature = "schema")]
    #[serde(skip)]
    manifest: Option<&'static super::Manifest>,
}

impl EventType {
    /// The event type `name` of `aggregate`, published to `topic` (by convention `{aggregate}-events`).
    pub const fn new(
        name: &'static str,
        aggregate: &'static str,
        version: Version,
        topic: &'static str,
    ) -> Self {
        EventType {
            name,
            aggregate,
            version,
            topic,
            source: None,
            #[cfg(feature = "schema")]
            manifest: None,
        }
    }

    /// This type with what is known of its payload; `#[derive(DomainEvent)]` gives it to types without parameters.
    #[cfg(feature = "schema")]
    #[must_use]
    pub const fn with_manifest(mut self, manifest: &'static super::Manifest) -> Self {
        self.manifest = Some(manifest);
        self
    }

    /// What is known of its payload: none for types with parameters, for those that are written by hand, and for old versions that
    /// only functions on JSON lead from.
    #[cfg(feature = "schema")]
    pub const fn manifest(&self) -> Option<&'static super::Manifest> {
        self.manifest
    }

    /// This type, sent by a system that knows nothing of envelopes (such as `aws.s3` on EventBridge).
    #[must_use]
    pub const fn with_source(mut self, source: &'static str) -> Self {
        self.source = Some(source);
        self
    }

    /// The name on the wire.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The aggregate type.
    pub const fn aggregate(&self) -> &'static str {
        self.aggregate
    }

    /// The version of the schema.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The topic that it is published to and read from.
    pub const fn topic(&self) -> &'static str {
        self.topic
    }

    /// The foreign system that sends it, where it is not one of ours.
    pub const fn source(&self) -> Option<&'static str> {
        self.source
    }
}

impl EventType {
    fn identity(&self) -> (&'static str, &'static str, Version, &'static str, Option<&'static str>) {
        (self.name, self.aggregate, self.version, self.topic, self.source)
    }
}

impl PartialEq for EventType {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for EventType {}

impl Hash for EventType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventType")
            .field("name", &self.name)
            .field("aggregate", &self.aggregate)
            .field("version", &self.version)
            .field("topic", &self.topic)
            .field("source", &self.source)
            .finish()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}
