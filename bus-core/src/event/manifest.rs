//! What is known of an event type's payload: its schema, and whether a stored one can be read.

use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use schemars::generate::{Contract, SchemaSettings};
use serde_json::{Map, Value, json};

use super::{DecodeError, DomainEvent, StoredPayload};

/// The payload of an event type: its JSON Schema, and how to try whether a stored one is read.
///
/// `#[derive(DomainEvent)]` puts one on each of its event types; it has a schema where the type also derives
/// `schemars::JsonSchema`.
pub struct Manifest {
    rust_type: &'static str,
    variant: Option<&'static str>,
    schema: Option<SchemaOf>,
    read: fn(&StoredPayload<'_>) -> Result<(), DecodeError>,
}

/// Makes the schema of a type, or of one of its variants, as it is read or as it is written.
type SchemaOf = fn(Option<&str>, &Contract) -> Value;

impl Manifest {
    /// The manifest of an event of the Rust type `E`, which its code calls `rust_type`, or of what serde calls `variant` in it.
    #[doc(hidden)]
    pub const fn new<E: DomainEvent>(
        rust_type: &'static str,
        variant: Option<&'static str>,
        schema: Option<SchemaOf>,
    ) -> Self {
        Manifest { rust_type, variant, schema, read: read::<E> }
    }

    /// What the event is called in Rust, for messages.
    pub const fn rust_type(&self) -> &'static str {
        self.rust_type
    }

    /// The JSON Schema (draft 2020-12) of the payload, as it is read: fields with a default may be missing. None where the
    /// type has not derived `schemars::JsonSchema`. It is made anew with each call.
    pub fn schema(&self) -> Option<Value> {
        self.schema.map(|schema| schema(self.variant, &Contract::Deserialize))
    }

    /// The JSON Schema of the payload as it is written: what `skip_serializing` leaves out is not in it, and what is renamed for
    /// writing alone has its other name.
    pub fn written_schema(&self) -> Option<Value> {
        self.schema.map(|schema| schema(self.variant, &Contract::Serialize))
    }

    /// Reads `payload`, through the upcasters where it is an old one.
    ///
    /// # Errors
    ///
    /// Those of [`DomainEvent::decode`].
    pub fn read(&self, payload: &StoredPayload<'_>) -> Result<(), DecodeError> {
        (self.read)(payload)
    }
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest { rust_type, schema, .. } = self;
        f.debug_struct("Manifest")
            .field("rust_type", rust_type)
            .field("has_schema", &schema.is_some())
            .finish_non_exhaustive()
    }
}

fn read<E: DomainEvent>(payload: &StoredPayload<'_>) -> Result<(), DecodeError> {
    E::decode(payload).map(drop)
}

/// The schema of a `T`, or of what it has inside of the variant that serde calls `variant`, as a document of its own: every
/// `$ref` leads into its `$defs`, also those to `T` itself. A variant without fields is any object.
#[doc(hidden)]
pub fn schema_of<T: JsonSchema>(variant: Option<&str>, contract: &Contract) -> Value {
    let settings = SchemaSettings::draft2020_12();
    let settings = match contract {
        Contract::Serialize => settings.for_serialize(),
        _ => settings.for_deserialize(),
    };
    let mut generator = settings.into_generator();
    let schema = match variant {
        None => generator.subschema_for::<T>().to_value(),
        Some(variant) => {
            let whole = T::json_schema(&mut generator).to_value();
            content_of(&whole, variant).unwrap_or_else(|| json!({ "type": "object" }))
        }
    };
    let mut document = match schema {
        Value::Object(members) => members,
        Value::Bool(true) => Map::new(),
        _ => Map::from_iter([("not".to_owned(), json!({}))]),
    };
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        document.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Value::Object(document)
}

/// What an externally tagged enum with the schema `whole` has inside of `variant`.
fn content_of(whole: &Value, variant: &str) -> Option<Value> {
    let variants = whole.get("oneOf")?.as_array()?;
    variants.iter().find_map(|schema| schema.get("properties")?.get(variant).cloned())
}

/// A type whose schema may or may not exist. The constant of this type itself wins over that of [`MaybeSchema`], where its
/// bound holds: the derive can so ask for a schema without asking for the trait.
#[derive(Debug)]
#[doc(hidden)]
pub struct Probe<T>(PhantomData<T>);

impl<T: JsonSchema> Probe<T> {
    /// What makes the schema.
    pub const SCHEMA: Option<SchemaOf> = Some(schema_of::<T>);
}

/// What [`Probe`] has for types without a schema.
#[doc(hidden)]
pub trait MaybeSchema {
    /// Nothing.
    const SCHEMA: Option<SchemaOf> = None;
}

impl<T> MaybeSchema for Probe<T> {}
