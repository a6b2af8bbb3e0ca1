//! Reading the `metadata` of a detail.

use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::metadata::{Extensions, Metadata, TraceContext};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _};
use serde_json::value::RawValue;

use crate::members::{Members, text};
use crate::routing::{MEMBER, Routing};

/// The members of `metadata` that have a meaning here.
const RESERVED: [&str; 15] = [
    "eventId",
    "eventType",
    "aggregateId",
    "aggregateType",
    "timestamp",
    "version",
    "minor",
    "sequence",
    "userId",
    "correlationId",
    "causationId",
    "traceparent",
    "tracestate",
    "envelope",
    MEMBER,
];

/// Whether `name` means something in `metadata`, so that nothing else can stand under it.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// What `metadata` says.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) event_id: Option<Id>,
    pub(crate) aggregate_id: Option<String>,
    pub(crate) aggregate_type: Option<String>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
    pub(crate) sequence: Option<u64>,
    pub(crate) metadata: Metadata,
    pub(crate) extensions: Extensions,
    pub(crate) routing: Routing,
    trace_state: Option<String>,
}

/// What had no place of its own.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Displaced<'a> {
    #[serde(borrow)]
    pairs: Option<Members<'a>>,
    #[serde(borrow)]
    metadata: Option<Members<'a>>,
    #[serde(borrow)]
    fields: Option<Members<'a>>,
}

impl Facts {
    /// Reads the metadata of an event of ours.
    pub(crate) fn read(members: &Members<'_>) -> Result<Self, serde_json::Error> {
        let mut facts = Facts::default();
        for (name, value) in members.iter() {
            facts.add(name, value).map_err(|error| {
                serde_json::Error::custom(format_args!("`{name}` in `metadata`: {error}"))
            })?;
        }
        Ok(facts.complete())
    }

    /// Reads the metadata of somebody else's event: what is not as ours would be is kept as it is.
    pub(crate) fn read_leniently(members: &Members<'_>) -> Self {
        let mut facts = Facts::default();
        for (name, value) in members.iter() {
            if facts.add(name, value).is_err() {
                facts.metadata.extensions.insert(name.to_string(), value.to_owned());
            }
        }
        facts.complete()
    }

    /// The same with the trace in one, whichever of its members came first.
    fn complete(mut self) -> Self {
        if let Some(trace) = &mut self.metadata.trace {
            trace.state = self.trace_state.take();
        }
        self
    }

    fn add(&mut self, name: &str, value: &RawValue) -> Result<(), serde_json::Error> {
        match name {
            "eventId" => self.event_id = read(value)?,
            // Read where it is needed.
            "eventType" => {}
            "aggregateId" => self.aggregate_id = read(value)?,
            "aggregateType" => self.aggregate_type = read(value)?,
            "timestamp" => {
                let text: Option<String> = read(value)?;
                let time = text.map(|text| text.parse()).transpose();
                self.time = time.map_err(|error| {
                    serde_json::Error::custom(format_args!("no RFC 3339 time with a zone: {error}"))
                })?;
            }
            "version" => self.major = read(value)?,
            "minor" => self.minor = read(value)?,
            "sequence" => self.sequence = read(value)?,
            "userId" => self.metadata.user_id = read(value)?,
            "correlationId" => self.metadata.correlation_id = read(value)?,
            "causationId" => self.metadata.causation_id = read(value)?,
            "traceparent" => {
                self.metadata.trace = read(value)?.map(|parent| TraceContext { parent, state: None });
            }
            "tracestate" => self.trace_state = read(value)?,
            "envelope" => self.add_displaced(serde_json::from_str(value.get())?),
            MEMBER => self.routing = serde_json::from_str(value.get())?,
            _ => self.add_metadata(name, value),
        }
        Ok(())
    }

    fn add_metadata(&mut self, name: &str, value: &RawValue) {
        match text(value) {
            Some(text) => drop(self.metadata.pairs.insert(name.to_owned(), text.into_owned())),
            None => self.metadata.extensions.insert(name.to_owned(), value.to_owned()),
        }
    }

    fn add_displaced(&mut self, displaced: Displaced<'_>) {
        let Displaced { pairs, metadata, fields } = displaced;
        for (name, value) in pairs.iter().flat_map(Members::iter) {
            self.add_metadata(name, value);
        }
        for (name, value) in metadata.iter().flat_map(Members::iter) {
            self.metadata.extensions.insert(name.to_string(), value.to_owned());
        }
        for (name, value) in fields.iter().flat_map(Members::iter) {
            self.extensions.insert(name.to_string(), value.to_owned());
        }
    }
}

/// A member that may be null.
fn read<T: DeserializeOwned>(value: &RawValue) -> Result<Option<T>, serde_json::Error> {
    serde_json::from_str(value.get())
}
