//! What a schema registry is to this crate.

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;

use crate::Error;

/// A service that keeps schemas under subjects, in versions, and gives each schema an id.
///
/// All calls may be made again without harm.
#[async_trait]
pub trait SchemaRegistry: Debug + Send + Sync + 'static {
    /// Where it is, for messages; without credentials.
    fn describe(&self) -> String;

    /// Registers `schema` as the next version of `subject`, unless it has it; answers its id.
    ///
    /// # Errors
    ///
    /// [`Incompatible`](crate::ErrorKind::Incompatible) where the subject's rule forbids it; other kinds where it is no schema, or
    /// the registry cannot be asked.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the schema is registered.
    async fn register(&self, subject: &str, schema: &Schema) -> Result<u32, Error>;

    /// The id of `schema`, where it is a version of `subject`.
    ///
    /// # Errors
    ///
    /// When the registry cannot be asked.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    async fn find(&self, subject: &str, schema: &Schema) -> Result<Option<u32>, Error>;

    /// The schema with the id `id`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) where there is none; other kinds where the registry cannot be asked.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    async fn by_id(&self, id: u32) -> Result<Schema, Error>;

    /// A version of `subject`, where there is one.
    ///
    /// # Errors
    ///
    /// When the registry cannot be asked.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    async fn version(&self, subject: &str, version: SchemaVersion)
    -> Result<Option<RegisteredSchema>, Error>;

    /// Whether `schema` could be the next version of `subject`, under the subject's rule.
    ///
    /// # Errors
    ///
    /// When it is no schema, or the registry cannot be asked.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    async fn check(&self, subject: &str, schema: &Schema) -> Result<Verdict, Error>;

    /// Sets the rule of `subject`, which need not be there yet.
    ///
    /// # Errors
    ///
    /// When the registry refuses it, or cannot be asked.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the rule is set.
    async fn set_rule(&self, subject: &str, rule: Compatibility) -> Result<(), Error>;
}

#[async_trait]
impl<R: SchemaRegistry + ?Sized> SchemaRegistry for Arc<R> {
    fn describe(&self) -> String {
        (**self).describe()
    }

    async fn register(&self, subject: &str, schema: &Schema) -> Result<u32, Error> {
        (**self).register(subject, schema).await
    }

    async fn find(&self, subject: &str, schema: &Schema) -> Result<Option<u32>, Error> {
        (**self).find(subject, schema).await
    }

    async fn by_id(&self, id: u32) -> Result<Schema, Error> {
        (**self).by_id(id).await
    }

    async fn version(
        &self,
        subject: &str,
        version: SchemaVersion,
    ) -> Result<Option<RegisteredSchema>, Error> {
        (**self).version(subject, version).await
    }

    async fn check(&self, subject: &str, schema: &Schema) -> Result<Verdict, Error> {
        (**self).check(subject, schema).await
    }

    async fn set_rule(&self, subject: &str, rule: Compatibility) -> Result<(), Error> {
        (**self).set_rule(subject, rule).await
    }
}

/// The language of a schema, and with it the format of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// JSON Schema, and bodies in JSON.
    Json,
    /// Avro.
    Avro,
    /// Protobuf.
    Protobuf,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Format::Json => "JSON Schema",
            Format::Avro => "Avro",
            Format::Protobuf => "Protobuf",
        })
    }
}

/// A schema as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The language.
    pub format: Format,
    /// The text: JSON for JSON Schema and Avro, a `.proto` file for Protobuf.
    pub text: String,
}

impl Schema {
    /// The schema `text` in the language of `format`.
    pub fn new(format: Format, text: impl Into<String>) -> Self {
        Schema { format, text: text.into() }
    }
}

/// Which version of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaVersion {
    /// The last one.
    Latest,
    /// This one, from 1.
    Number(u32),
}

/// A schema in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// The id of the schema, by which bodies name it.
    pub id: u32,
    /// The version of its subject, from 1.
    pub version: u32,
    /// The schema.
    pub schema: Schema,
}

/// Whether a schema may follow those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Compatible,
    /// It may not, for these reasons in the registry's words, which may be none.
    Incompatible(Vec<String>),
}

/// The rule by which a registry compares a new version of a subject with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compatibility {
    /// Readers with the new schema read what was written with the last one.
    Backward,
    /// Readers with the new schema read what was written with any before it.
    BackwardTransitive,
    /// Readers with the last schema read what is written with the new one.
    Forward,
    /// Readers with any schema before it read what is written with the new one.
    ForwardTransitive,
    /// Backward and forward.
    Full,
    /// Backward and forward, with all versions before it.
    FullTransitive,
    /// Everything may follow.
    None,
}

impl Compatibility {
    /// Its name in Confluent's protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Compatibility::Backward => "BACKWARD",
            Compatibility::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Compatibility::Forward => "FORWARD",
            Compatibility::ForwardTransitive => "FORWARD_TRANSITIVE",
            Compatibility::Full => "FULL",
            Compatibility::FullTransitive => "FULL_TRANSITIVE",
            Compatibility::None => "NONE",
        }
    }
}
