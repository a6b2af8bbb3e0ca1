//! Events held against the schemas that a registry has of them, which others may have registered.
//!
//! ```no_run
//! use jitney_core::event::DomainEvent;
//! use jitney_registry::{ConfluentRegistry, SubjectNaming, validation_by};
//! use jitney_schema::Validation;
//!
//! # async fn example<OrderPaid: DomainEvent>(own: Validation) -> Result<Validation, jitney_registry::Error> {
//! let registry = ConfluentRegistry::builder("https://registry.example.com").build()?;
//! let validation = own.typed_events().deliveries();
//! // A layer of a bus, as ever.
//! validation_by::<OrderPaid>(&registry, SubjectNaming::default(), validation).await
//! # }
//! ```

use jitney_core::event::DomainEvent;
use jitney_schema::Validation;

use crate::{Error, ErrorKind, Format, RegisteredSchema, SchemaRegistry, SchemaVersion, SubjectNaming};

/// `validation` with the latest schemas that `registry` has of the event types of `E`, in place of those that were there. What is checked
/// is said by `validation`: [`typed_events`](Validation::typed_events), [`deliveries`](Validation::deliveries).
///
/// # Errors
///
/// Of kind [`NotFound`](ErrorKind::NotFound) where the registry has none of a type; of kind [`InvalidSchema`](ErrorKind::InvalidSchema)
/// where it is none of JSON, or refers to what is not in it; and where the registry cannot be asked.
///
/// # Cancellation
///
/// Dropping the future changes nothing.
pub async fn validation_by<E: DomainEvent>(
    registry: &dyn SchemaRegistry,
    naming: SubjectNaming,
    mut validation: Validation,
) -> Result<Validation, Error> {
    for of in E::TYPES {
        let subject = naming.subject(of.topic(), of.name());
        let doing = format!("holding `{of}` against the schema `{subject}` of {}", registry.describe());
        let Some(RegisteredSchema { schema, .. }) = registry.version(&subject, SchemaVersion::Latest).await?
        else {
            let what =
                format!("{doing}: there is none; register it, or name subjects as whoever has registered it");
            return Err(Error::new(ErrorKind::NotFound, what));
        };
        if schema.format != Format::Json {
            let what = format!(
                "{doing}: it is {}; what does not fit it is refused by the codec itself",
                schema.format
            );
            return Err(Error::new(ErrorKind::InvalidSchema, what));
        }
        let invalid = || Error::new(ErrorKind::InvalidSchema, doing.clone());
        let schema = serde_json::from_str(&schema.text).map_err(|error| invalid().with_source(error))?;
        let with = validation.and_schema(of.aggregate(), of.name(), of.version(), &schema);
        validation = with.map_err(|error| invalid().with_source(error))?;
    }
    Ok(validation)
}
