//! The events of an application, with the schemas that it gives them.

use jitney_core::event::{DomainEvent, EventType, schema_of};
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::{Error, ErrorKind, Format, Schema};

/// An event type with its schema.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) event_type: &'static EventType,
    /// Or why there is none.
    pub(crate) schema: Result<Schema, Error>,
    /// The name of the message in a schema of Protobuf.
    pub(crate) message: Option<String>,
}

impl Declared {
    /// The event types of `E`, by the schemas that it derives.
    pub(crate) fn json<E: DomainEvent + JsonSchema>() -> Vec<Self> {
        let of = |event_type: &'static EventType| {
            let schema = match (event_type.manifest(), E::TYPES) {
                (Some(manifest), _) => manifest.schema(),
                // A type with parameters, or written by hand.
                (None, [_]) => Some(schema_of::<E>(None, &schemars::generate::Contract::Deserialize)),
                (None, _) => None,
            };
            let none = || {
                let what = "there is no schema of its own for each variant; derive `DomainEvent` on a type without parameters";
                Error::new(ErrorKind::Config, what)
            };
            let schema = schema.map(|schema| json_schema(event_type, schema)).ok_or_else(none);
            Declared { event_type, schema, message: None }
        };
        E::TYPES.iter().map(of).collect()
    }

    /// The event type of `E`, with a schema that is its own.
    #[cfg(any(feature = "avro", feature = "protobuf"))]
    pub(crate) fn one<E: DomainEvent>(schema: Result<Schema, Error>, message: Option<&str>) -> Vec<Self> {
        let message = message.map(str::to_owned);
        let one = |event_type: &'static EventType, schema| Declared {
            event_type,
            schema,
            message: message.clone(),
        };
        match E::TYPES {
            [only] => vec![one(only, schema)],
            many => {
                let refuse = || {
                    let what = "it is one of several types of an enum, which cannot all have one schema; give each its own by `schema`";
                    Err(Error::new(ErrorKind::Config, what))
                };
                many.iter().map(|event_type| one(event_type, refuse())).collect()
            }
        }
    }
}

/// `schema` under the name of `event_type`: its title is what others know the record by.
fn json_schema(event_type: &EventType, mut schema: Value) -> Schema {
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("title".to_owned(), json!(record_name(event_type)));
    }
    Schema::new(Format::Json, schema.to_string())
}

/// The name of an event, with its major version from 2 on: a major version is another schema, and breaks the one before.
fn record_name(event_type: &EventType) -> String {
    match event_type.version().major {
        0 | 1 => event_type.name().to_owned(),
        major => format!("{}.v{major}", event_type.name()),
    }
}
