//! Jitney's transport for Amazon EventBridge, with SQS queues behind its rules, on the AWS SDK.
//!
//! An event is published with the source `{service}.{aggregateType}` and its type as the detail type; its detail is the
//! payload's fields with `metadata` beside them ([`DetailJson`]): rules and services in other languages read what we write, and
//! we read what they and AWS's own services write.
//!
//! - A group is a queue and a rule that feeds it, made from what its handlers take ([`plan`] says it first).
//! - EventBridge keeps no order. An event may come twice; each carries an id of its own.
//! - What fails is hidden in the queue and comes again (12 hours later at most, which is as long as SQS hides anything); what is given up goes to `{group}-dead-letters`, whole.
//! - Publishing packs events of all calls into requests, tries again what may help, and slows down when it is throttled.
//!
//! ```no_run
//! use jitney_core::Bus;
//! use jitney_eventbridge::EventBridge;
//!
//! # async fn example() -> Result<(), jitney_core::Error> {
//! let bridge = EventBridge::from_url("eventbridge://orders?region=eu-west-1").await?;
//! let bus = Bus::new(bridge);
//! # Ok(()) }
//! ```

mod admin;
mod attributes;
mod body;
mod bus;
mod client;
mod config;
mod detail;
mod driver;
mod entry;
mod error;
pub mod inbound;
#[cfg(feature = "lambda")]
pub mod lambda;
mod member;
mod members;
mod names;
mod pattern;
pub mod plan;
mod publisher;
mod queue;
mod replay;
mod routing;
mod sdk;
mod settler;
mod source;

/// The SDK, whose clients [`Builder::clients`] takes.
pub use {aws_sdk_eventbridge, aws_sdk_sqs, aws_smithy_http_client};

pub use client::EventBridge;
pub use config::Builder;
pub use detail::DetailJson;
