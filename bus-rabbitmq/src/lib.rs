//! Jitney's transport for RabbitMQ, on lapin.
//!
//! A topic is a durable topic exchange of its name, and an event goes to it with the routing key
//! `{aggregateType}.{eventType}`. The envelope is [native JSON](jitney_core::codec::NativeJson); id, type, correlation id and
//! time are AMQP's own properties: services in other languages publish to the same exchanges and bind queues of their own.
//!
//! - Publishing waits for the broker's confirm; calls are pipelined, and each event has its own outcome. What was not
//!   confirmed when a connection was lost is sent again on the next one, in its order, under the same message id.
//! - A group is a durable quorum queue of its name, bound to what its handlers are interested in. One member at a time reads
//!   it and the others stand by, so that order per key holds ([`Order::Key`]); or all read it side by side ([`Order::None`]);
//!   or events are parted by key into several queues, which members share ([`Builder::partitions`]).
//! - What is given up goes to the queue `{group}.dead-letters`, what is to wait to `{group}.retry-1s` … `{group}.retry-10m`.
//! - A queue keeps what is published from its declaration on: nothing can be read again, and a new group gets no backlog.
//!
//! ```no_run
//! use jitney_core::Bus;
//! use jitney_rabbitmq::RabbitMq;
//!
//! # async fn example() -> Result<(), jitney_core::Error> {
//! let rabbitmq = RabbitMq::from_url("amqp://guest:guest@localhost:5672/?publish_timeout=10s").await?;
//! let bus = Bus::new(rabbitmq);
//! # Ok(()) }
//! ```

mod admin;
mod client;
mod config;
mod consumer;
mod error;
mod link;
mod member;
mod names;
mod publisher;
mod retry_queues;
mod settler;
mod source;
mod topology;
mod wire;

pub use client::RabbitMq;
pub use config::{Builder, Order, Unroutable};

/// The client underneath, for programs that also speak to the server by themselves.
pub use lapin;
