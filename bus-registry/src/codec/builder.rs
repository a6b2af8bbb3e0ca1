//! What a codec is made of.

use std::fmt;
use std::sync::Arc;

use jitney_core::codec::CloudEvents;
use jitney_core::event::{DomainEvent, EventType};
use jitney_core::{Error, Head};
use schemars::JsonSchema;

use super::{Foreign, Inner, RegistryCodec};
use crate::declared::Declared;
use crate::known::Known;
use crate::startup::{Plan, Warm, start};
use crate::{Compatibility, ForeignRecord, Schema, SchemaRegistry, SubjectNaming};

/// Makes a [`RegistryCodec`].
#[must_use = "there is no codec until it is connected"]
pub struct RegistryCodecBuilder {
    registry: Arc<dyn SchemaRegistry>,
    declared: Vec<Declared>,
    plan: Plan,
    envelope: CloudEvents,
    foreign: Box<Foreign>,
}

impl RegistryCodecBuilder {
    pub(super) fn new(registry: Arc<dyn SchemaRegistry>) -> Self {
        RegistryCodecBuilder {
            registry,
            declared: Vec::new(),
            plan: Plan { naming: SubjectNaming::default(), rule: None, register: true },
            envelope: CloudEvents::kafka(),
            foreign: Box::new(|record| record.head()),
        }
    }

    /// With the event types of `E`, written in JSON: its schema, or that of each variant, is the one that it derives, under the
    /// event type's name as its `title` (with `.v2` behind it for the major version 2, and so on).
    pub fn json<E: DomainEvent + JsonSchema>(mut self) -> Self {
        self.declared.extend(Declared::json::<E>());
        self
    }

    /// With `event_type` (one of [`E::TYPES`](DomainEvent::TYPES), which has no message of Protobuf), written by `schema`: for
    /// schemas that are kept in files, and for the variants of an enum in Avro.
    ///
    /// A JSON Schema must have a `title`.
    pub fn schema(mut self, event_type: &'static EventType, schema: Schema) -> Self {
        self.declared.push(Declared { event_type, schema: Ok(schema), message: None });
        self
    }

    /// With the event `E`, written in Avro by the schema that it derives.
    #[cfg(feature = "avro")]
    pub fn avro<E: DomainEvent + apache_avro::AvroSchema>(mut self) -> Self {
        self.declared.extend(Declared::one::<E>(crate::avro::derived::<E>(), None));
        self
    }

    /// With the event `E`, written in Protobuf as the message `message` (its full name, as `shop.OrderPaid`) of the `.proto` file
    /// whose text is `file`. The file may import those of `google/protobuf`, and no others.
    ///
    /// Fields go by the names that they have in the file, as serde's do in the struct.
    #[cfg(feature = "protobuf")]
    pub fn protobuf<E: DomainEvent>(mut self, file: &str, message: &str) -> Self {
        let schema = Schema::new(crate::Format::Protobuf, file);
        self.declared.extend(Declared::one::<E>(Ok(schema), Some(message)));
        self
    }

    /// With subjects named so.
    pub fn subjects(mut self, naming: SubjectNaming) -> Self {
        self.plan.naming = naming;
        self
    }

    /// With this rule for the subjects that get a new schema; otherwise with the one that the registry has for them.
    pub fn rule(mut self, rule: Compatibility) -> Self {
        self.plan.rule = Some(rule);
        self
    }

    /// Whether schemas that the registry does not have yet are registered, as they are without this. Otherwise they are a
    /// reason not to start.
    pub fn auto_register(mut self, register: bool) -> Self {
        self.plan.register = register;
        self
    }

    /// With the envelope in these headers: [`CloudEvents::kafka`] unless this is said.
    pub fn envelope(mut self, envelope: CloudEvents) -> Self {
        self.envelope = envelope;
        self
    }

    /// With `head` to make the envelope of a record that has none, in place of [`ForeignRecord::head`]. What it refuses is a dead
    /// letter. It has to give a redelivery the same event id.
    pub fn foreign(
        mut self,
        head: impl Fn(&ForeignRecord<'_>) -> Result<Head, Error> + Send + Sync + 'static,
    ) -> Self {
        self.foreign = Box::new(head);
        self
    }

    /// Finds or registers the schemas of all events, and knows their ids from then on.
    ///
    /// Each is looked up; those that the registry does not have are checked against the version before them, and only when none
    /// of them is refused, all are registered.
    ///
    /// # Errors
    ///
    /// [`Start`](crate::ErrorKind::Start) with all schemas that are refused, in the registry's words;
    /// [`Unavailable`](crate::ErrorKind::Unavailable), which is retryable, where the registry is down: an application does not
    /// start without it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves some of the schemas registered; connecting again finds them.
    pub async fn connect(self) -> Result<RegistryCodec, crate::Error> {
        let RegistryCodecBuilder { registry, declared, plan, envelope, foreign } = self;
        let Warm { outgoing, readers } = start(&*registry, declared, plan).await?;
        let known = Arc::new(Known::new(registry, readers));
        Ok(RegistryCodec(Arc::new(Inner { envelope, outgoing, known, foreign })))
    }
}

impl fmt::Debug for RegistryCodecBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryCodecBuilder")
            .field("registry", &self.registry.describe())
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}
