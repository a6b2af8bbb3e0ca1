//! Jitney's memory transport: the reference for what a transport is, for tests, development, and processes that
//! need no broker.
//!
//! It always carries encoded bytes, it delivers by the rules of a chosen broker ([`Semantics`]), and it can do to
//! messages what brokers and networks do, by a seed ([`Faults`]). Its buffers are bounded: publishing waits while a
//! topic is full, and nothing is dropped that a group still waits for.
//!
//! ```
//! use jitney_core::message::{Message, Outbound};
//! use jitney_core::transport::Transport;
//! use jitney_memory::{Memory, Semantics};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let transport = Memory::builder().semantics(Semantics::RabbitMq).build();
//! let message = Message {
//!     topic: "Order-events".into(),
//!     key: Some("42".into()),
//!     headers: vec![],
//!     time: transport.env().now(),
//!     body: "{}".into(),
//! };
//! transport.publish_one(Outbound { message, attributes: None }).await.into_result()?;
//! assert_eq!(transport.messages("Order-events").len(), 1);
//! # Ok::<_, jitney_core::Error>(()) }).unwrap();
//! ```

mod admin;
mod assignment;
mod client;
mod config;
mod connection;
mod cursor;
mod error;
mod faults;
mod gate;
mod group;
mod log_view;
mod member;
mod partition;
mod partitioner;
mod publisher;
mod queue;
mod queue_view;
mod semantics;
mod settler;
mod source;
mod state;
mod topic;
mod transaction;
mod turns;

pub use client::Memory;
pub use config::Builder;
pub use faults::Faults;
pub use semantics::Semantics;
