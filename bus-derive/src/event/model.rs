//! What the derive knows about an event once it has found no mistakes.

use proc_macro2::Ident;
use syn::{Generics, Path, Type};

use super::attributes::Version;
use super::field_path::FieldPath;
use super::pseudonym::Pseudonym;

/// An event: a struct, or an enum with a type for each variant.
pub(crate) struct Event {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) aggregate: String,
    pub(crate) topic: String,
    pub(crate) source: Option<String>,
    pub(crate) types: Vec<EventType>,
    pub(crate) id: Option<FieldPath>,
    /// The type of the field that `id` names, where a type parameter might occur in it.
    pub(crate) id_type: Option<Type>,
    pub(crate) key: Option<FieldPath>,
}

/// One event type.
pub(crate) struct EventType {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) upcaster: Option<Upcaster>,
    /// None for a struct.
    pub(crate) variant: Option<Variant>,
    /// The fields that are replaced by pseudonyms.
    pub(crate) pseudonyms: Vec<Pseudonym>,
}

/// The variant that an event type belongs to.
pub(crate) struct Variant {
    pub(crate) ident: Ident,
    /// What serde calls it.
    pub(crate) serde_name: String,
}

/// How the versions before are read.
pub(crate) enum Upcaster {
    /// As this type, which is then converted.
    Typed(Box<Type>),
    /// As JSON, which passes these functions, the first of them from this major version.
    Json { first: u32, steps: Vec<Path> },
}

impl Event {
    pub(crate) fn is_enum(&self) -> bool {
        self.variants().next().is_some()
    }

    /// The variants of an enum with their event types.
    pub(crate) fn variants(&self) -> impl Iterator<Item = &Variant> {
        self.types.iter().filter_map(|event_type| event_type.variant.as_ref())
    }
}
