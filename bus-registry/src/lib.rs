//! Schema registries: a service that keeps the schemas of what is on the topics, gives each an id, and refuses changes that
//! readers would not survive.
//!
//! [`SchemaRegistry`] is such a service; [`ConfluentRegistry`] is the client of those that speak Confluent's protocol (Confluent's
//! own, Apicurio, Karapace, Redpanda). [`RegistryCodec`] registers and checks the schemas of an application's events before the
//! bus is there, writes bodies in Confluent's wire format, and reads those of others.
//!
//! ```no_run
//! use jitney_core::{Bus, DomainEvent as _, transport::Transport};
//! use jitney_derive::DomainEvent;
//! use jitney_registry::{Compatibility, ConfluentRegistry, RegistryCodec};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, DomainEvent, schemars::JsonSchema)]
//! #[event(aggregate = "Order", id = order_id, crate = "jitney_core")]
//! struct OrderPaid { order_id: String, cents: u64 }
//!
//! async fn bus(transport: impl Transport) -> Result<Bus, jitney_core::Error> {
//!     let registry = ConfluentRegistry::builder("https://registry.example.com")
//!         .basic_auth("orders", &std::env::var("REGISTRY_PASSWORD").unwrap_or_default())
//!         .build()?;
//!     let codec = RegistryCodec::builder(registry)
//!         .rule(Compatibility::Backward)
//!         .json::<OrderPaid>()
//!         .connect() // fails where the registry refuses a schema
//!         .await?;
//!     Ok(Bus::builder(transport).codec(codec).build())
//! }
//! ```

#[cfg(feature = "avro")]
mod avro;
mod codec;
mod confluent;
mod declared;
mod error;
mod foreign;
mod format;
mod frame;
mod known;
mod limits;
#[cfg(feature = "protobuf")]
mod protobuf;
mod registry;
mod startup;
mod subject;
#[cfg(feature = "validation")]
mod validation;

#[cfg(feature = "avro")]
pub use apache_avro;
pub use codec::{RegistryCodec, RegistryCodecBuilder};
pub use confluent::{ConfluentRegistry, ConfluentRegistryBuilder};
pub use error::{Error, ErrorKind};
pub use foreign::ForeignRecord;
pub use limits::{MAX_PAYLOAD_DEPTH, MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH};
pub use registry::{Compatibility, Format, RegisteredSchema, Schema, SchemaRegistry, SchemaVersion, Verdict};
pub use subject::SubjectNaming;
#[cfg(feature = "validation")]
pub use validation::validation_by;
