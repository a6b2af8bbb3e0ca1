//! Jitney's transport for Apache Kafka, on librdkafka.
//!
//! Topics are called `{aggregateType}-events`, records are keyed by aggregate and put on the partition that Java's and
//! kafkajs's clients choose, and the envelope is [native JSON](jitney_core::codec::NativeJson): services in other languages
//! read and write the same topics.
//!
//! - Publishing is idempotent and acked by all replicas in sync; calls are pipelined, and each event has its own outcome.
//! - Groups are Kafka's consumer groups with cooperative rebalances. A group commits up to the lowest unsettled event of a
//!   partition, never beyond; work in flight is finished before a partition goes to another member.
//! - What is given up goes to `{group}.dead-letters`, what is to wait to `{group}.retry-1s` … `{group}.retry-10m`.
//! - Groups that are `exactly_once` store outputs and offsets in one transaction.
//! - With the feature `store`, topics are an event store too: `KafkaStore`.
//!
//! ```no_run
//! use jitney_core::Bus;
//! use jitney_kafka::Kafka;
//!
//! # async fn example() -> Result<(), jitney_core::Error> {
//! let kafka = Kafka::from_url("kafka://localhost:9092/?create_topics=true").await?;
//! let bus = Bus::new(kafka);
//! # Ok(()) }
//! ```

mod admin;
mod aside;
mod client;
mod cluster;
mod config;
mod context;
mod driver;
mod error;
mod member;
mod member_context;
mod partition;
mod places;
mod publisher;
mod record;
mod retry_topics;
mod settler;
mod source;
#[cfg(feature = "store")]
mod store;
mod together;
mod transaction;
mod window;

pub use client::Kafka;
pub use config::{Builder, Mechanism, Tls};
pub use record::TOMBSTONE_HEADER;
#[cfg(feature = "store")]
pub use store::{KafkaStore, StoreBuilder};

/// The client underneath, for programs that also speak to the cluster by themselves.
pub use rdkafka;
