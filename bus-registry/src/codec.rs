//! The codec of topics whose schemas are in a registry.

mod builder;

use std::fmt;
use std::sync::Arc;

use jitney_core::codec::{CloudEvents, Codec, Decoded, Destination, EncodePayload, Encoded, Preparation};
use jitney_core::event::{EventType, Version};
use jitney_core::message::Message;
use jitney_core::{Error, ErrorKind, Head};
use rapidhash::RapidHashMap;

use crate::format::{Read, Reader, Writer};
use crate::known::Known;
use crate::{ForeignRecord, Format, SchemaRegistry, frame};

pub use builder::RegistryCodecBuilder;

/// The media type of bodies: what is in them is said by their first bytes.
const CONTENT_TYPE: &str = "application/octet-stream";

/// Makes an envelope for a record that has none.
type Foreign = dyn Fn(&ForeignRecord<'_>) -> Result<Head, Error> + Send + Sync;

/// Writes bodies in Confluent's wire format, with the envelope in the headers of a [CloudEvent](jitney_core::codec::cloud_events),
/// and reads those of others. Cheap to clone.
///
/// It exists only once the registry has the schemas of all events that it was given: an application whose schemas are refused
/// has no bus to publish on. Looking up the id of an event that it publishes is one look into a table in memory, without a lock.
///
/// An event that it was not given a schema of cannot be published: that is an error, and nothing is sent.
///
/// Reading, a schema that it does not know is asked for, once. While the registry cannot be asked, messages with this schema and
/// those behind them with the same key wait, and are neither lost nor dead letters: while it is away, lets nobody in, or something
/// else answers in its place. All others go on, until as many wait as the group may have in hand. A message whose schema the
/// registry says that it does not have, or that does not fit its schema, is a dead letter, as it came. See [`ForeignRecord`] for what becomes
/// of records without headers.
#[derive(Clone)]
pub struct RegistryCodec(Arc<Inner>);

struct Inner {
    envelope: CloudEvents,
    outgoing: RapidHashMap<&'static str, Vec<Outgoing>>,
    known: Arc<Known>,
    foreign: Box<Foreign>,
}

/// How one version of an event type is written.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) aggregate: &'static str,
    pub(crate) version: Version,
    pub(crate) id: u32,
    pub(crate) writer: Writer,
}

impl RegistryCodec {
    /// A codec for the schemas of `registry`, without any event yet.
    pub fn builder(registry: impl SchemaRegistry) -> RegistryCodecBuilder {
        RegistryCodecBuilder::new(Arc::new(registry))
    }

    /// The id of the schema that events of `aggregate` called `event_type` of `version` are written with: that of the version itself
    /// or, where it was not given, of the highest minor one of the same major version.
    pub fn schema_id(&self, aggregate: &str, event_type: &str, version: Version) -> Option<u32> {
        self.0.outgoing(aggregate, event_type, version).map(|outgoing| outgoing.id)
    }
}

impl Inner {
    fn outgoing(&self, aggregate: &str, event_type: &str, version: Version) -> Option<&Outgoing> {
        // Several aggregates may have events of one name.
        let mut versions = self.outgoing.get(event_type)?.iter().filter(|of| of.aggregate == aggregate);
        let exact = versions.clone().find(|outgoing| outgoing.version == version);
        exact.or_else(|| versions.find(|outgoing| outgoing.version.major == version.major))
    }

    fn head(
        &self,
        message: &Message,
        id: u32,
        format: Format,
        record: Option<&str>,
        expected: Option<&'static EventType>,
    ) -> Result<Head, Error> {
        match self.envelope.decode_head(message, expected)? {
            Some(head) => Ok(head),
            None => (self.foreign)(&ForeignRecord { message, name: record, schema_id: id, format }),
        }
    }
}

impl Codec for RegistryCodec {
    fn content_type(&self) -> &'static str {
        CONTENT_TYPE
    }

    fn encode(
        &self,
        to: Destination<'_>,
        head: &Head,
        payload: &dyn EncodePayload,
    ) -> Result<Encoded, Error> {
        let Some(Outgoing { id, writer, .. }) =
            self.0.outgoing(&head.aggregate_type, &head.event_type, head.version)
        else {
            let what = format!(
                "encoding `{} {}` {}: the registry's codec was given no schema of it; give it one where the codec is built",
                head.event_type, head.version, head.event_id
            );
            return Err(Error::new(ErrorKind::Encode, what));
        };
        let mut body = Vec::with_capacity(256);
        frame::write(&mut body, *id);
        writer.write(payload, &mut body).map_err(|error| {
            let what = format!("encoding `{}` {} by its schema {id}", head.event_type, head.event_id);
            Error::new(ErrorKind::Encode, what).with_source(error)
        })?;
        let headers = self.0.envelope.encode_head(to, head, CONTENT_TYPE)?;
        Ok(Encoded { headers, body: body.into() })
    }

    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error> {
        let body = &message.body;
        let id = frame::id(body).ok_or_else(|| Error::from(frame::unframed(body)))?;
        let read = |reader: &Reader| {
            let Read { record, payload } = reader.read(body).map_err(|error| {
                let what = format!(
                    "reading a body of {} bytes from topic `{}` by its schema {id}",
                    body.len(),
                    message.topic
                );
                Error::new(ErrorKind::Decode, what).with_source(error)
            })?;
            let head = self.0.head(message, id, reader.format(), record.as_deref(), expected)?;
            Ok(Decoded { head: Arc::new(head), payload })
        };
        self.0.known.with(id, read).unwrap_or_else(|| {
            let what =
                format!("reading a body from topic `{}`: its schema {id} is not known yet", message.topic);
            Err(Error::new(ErrorKind::Decode, what).retryable(true))
        })
    }

    fn prepare(&self, message: &Message) -> Option<Preparation> {
        // What has no id is refused where it is decoded.
        let id = frame::id(&message.body).filter(|id| !self.0.known.has(*id))?;
        let known = Arc::clone(&self.0.known);
        Some(Box::pin(async move {
            known.fetch(id).await.map_err(|error| {
                let is_about_schema = error.is_about_schema();
                let error = Error::from(error);
                let passes = error.is_retryable() || !is_about_schema;
                error.retryable(passes)
            })
        }))
    }

    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str> {
        self.0.envelope.peek_event_type(message)
    }
}

impl fmt::Debug for RegistryCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryCodec")
            .field("known", &self.0.known)
            .field("events", &self.0.outgoing.keys())
            .finish_non_exhaustive()
    }
}
