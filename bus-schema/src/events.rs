//! The event types that a contract is about.

use jitney_core::app::Description;
use jitney_core::event::{DecodeError, EventType, Manifest, StoredPayload, schema_of};
use jitney_core::{App, DomainEvent};
use schemars::JsonSchema;
use schemars::generate::Contract as Way;
use serde_json::Value;

/// An event with a schema: what [`events!`](crate::events) takes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schema for a contract",
    label = "not an event with a schema",
    note = "derive all of it: `#[derive(Serialize, Deserialize, DomainEvent, schemars::JsonSchema)]`",
    note = "types inside of it need `schemars::JsonSchema` as well"
)]
pub trait Described: DomainEvent + JsonSchema {}

#[diagnostic::do_not_recommend]
impl<E: DomainEvent + JsonSchema> Described for E {}

/// Event types with what is known of their payloads.
#[derive(Debug, Clone, Default)]
pub struct Events(Vec<Declared>);

/// One event type at one version, as the code has it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub(crate) event_type: EventType,
    pub(crate) rust_type: String,
    schema: Schema,
    read: Option<Read>,
}

/// Tries to read a payload.
type Read = fn(&StoredPayload<'_>) -> Result<(), DecodeError>;

#[derive(Debug, Clone)]
enum Schema {
    Manifest(&'static Manifest),
    Of(fn(Option<&str>, &Way) -> Value),
    Unknown,
}

impl Events {
    /// No event types.
    pub fn new() -> Self {
        Events::default()
    }

    /// With every event type of `E`, one of a struct, one for each variant of an enum; and with those that it is upcast from.
    #[must_use]
    pub fn with<E: Described>(mut self) -> Self {
        let types = E::TYPES;
        self.0.extend(types.iter().map(|event_type| {
            let declared = Declared::of(*event_type);
            match (event_type.manifest(), types) {
                // A type with parameters, or written by hand.
                (None, [_]) => Declared {
                    rust_type: std::any::type_name::<E>().to_owned(),
                    schema: Schema::Of(schema_of::<E>),
                    read: Some(|payload| E::decode(payload).map(drop)),
                    ..declared
                },
                _ => declared,
            }
        }));
        let before = E::accepts().into_iter().filter(|event_type| !types.contains(event_type));
        self.0.extend(before.map(|event_type| Declared::of(*event_type)));
        self
    }

    /// With every event type of `others` too.
    #[must_use]
    pub fn and(mut self, others: impl Into<Events>) -> Self {
        self.0.extend(others.into().0);
        self
    }

    /// Every event type that the handlers of `app` take, old ones that are upcast included.
    ///
    /// # Errors
    ///
    /// Every mistake in the set-up of the application, as when it is started.
    pub fn of_app(app: App) -> Result<Self, jitney_core::Error> {
        Ok(Events::from(&app.describe()?))
    }

    /// The event types by aggregate, name and version.
    pub(crate) fn into_sorted(self) -> Vec<Declared> {
        let mut all = self.0;
        all.sort_by(|one, other| one.key().cmp(&other.key()).then(one.rust_type.cmp(&other.rust_type)));
        all
    }
}

impl From<&Description> for Events {
    fn from(description: &Description) -> Self {
        let handlers = description.groups.iter().flat_map(|group| &group.handlers);
        Events(
            handlers
                .flat_map(|handler| &handler.events)
                .map(|event_type| Declared::of(*event_type))
                .collect(),
        )
    }
}

impl Declared {
    pub(crate) fn of(event_type: EventType) -> Self {
        match event_type.manifest() {
            Some(manifest) => Declared {
                event_type,
                rust_type: manifest.rust_type().to_owned(),
                schema: Schema::Manifest(manifest),
                read: None,
            },
            None => Declared { event_type, rust_type: String::new(), schema: Schema::Unknown, read: None },
        }
    }

    pub(crate) fn key(&self) -> (&str, &str, jitney_core::event::Version) {
        (self.event_type.aggregate(), self.event_type.name(), self.event_type.version())
    }

    /// The schema with its documentation.
    pub(crate) fn schema(&self) -> Option<Value> {
        match &self.schema {
            Schema::Manifest(manifest) => manifest.schema(),
            Schema::Of(make) => Some(make(None, &Way::Deserialize)),
            Schema::Unknown => None,
        }
    }

    /// The schema of what it writes.
    pub(crate) fn written_schema(&self) -> Option<Value> {
        match &self.schema {
            Schema::Manifest(manifest) => manifest.written_schema(),
            Schema::Of(make) => Some(make(None, &Way::Serialize)),
            Schema::Unknown => None,
        }
    }

    /// Whether it can be tried what it reads.
    pub(crate) fn is_readable(&self) -> bool {
        self.read.is_some() || matches!(self.schema, Schema::Manifest(_))
    }

    pub(crate) fn read(&self, payload: &StoredPayload<'_>) -> Result<(), DecodeError> {
        match (&self.schema, self.read) {
            (_, Some(read)) => read(payload),
            (Schema::Manifest(manifest), None) => manifest.read(payload),
            _ => Ok(()),
        }
    }
}

/// Lists events for a contract: `events![OrderCreated, OrderCreatedV1, AccountEvent]`.
///
/// Each of them derives `DomainEvent` and `schemars::JsonSchema`.
#[macro_export]
macro_rules! events {
    ($($event:ty),* $(,)?) => {
        $crate::Events::new()$(.with::<$event>())*
    };
}
