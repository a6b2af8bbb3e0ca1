//! Real servers for tests: started, stopped, killed and frozen.
//!
//! `cargo xtask up kafka kafka3 rabbitmq eventbridge postgres registry` starts servers that stay up until `cargo xtask down`; tests
//! find them here. Nothing is passed on to tests but the folder `target/servers`: the environment variables
//! `JITNEY_KAFKA_URL`, `JITNEY_KAFKA3_URL`, `JITNEY_RABBITMQ_URL`, `JITNEY_EVENTBRIDGE_URL`, `JITNEY_POSTGRES_URL` and
//! `JITNEY_REGISTRY_URL` mean only
//! ever that a server was given from outside, which is used and never touched.
//!
//! A test that needs no more than an address takes [`kafka_url`], [`rabbitmq_url`], [`eventbridge_url`], [`postgres_url`] or
//! [`registry_url`].
//! A test of faults takes the processes:
//!
//! ```no_run
//! use std::time::Duration;
//! use jitney_test_servers::{Error, Kafka};
//!
//! fn survives_a_death() -> Result<(), Error> {
//!     let cluster = match Kafka::three() {
//!         Ok(cluster) => cluster.exclusive()?, // healed again when it is dropped, also by a panic
//!         Err(error) if error.is_given() => {
//!             println!("skipped: survives_a_death: {error}");
//!             return Ok(());
//!         }
//!         Err(error) => return Err(error),
//!     };
//!     cluster.node(2).kill()?;
//!     // … publish to `cluster.url()`, and find everything …
//!     cluster.node(2).start()?;
//!     cluster.wait_ready(Duration::from_secs(30))
//! }
//! ```
//!
//! [`RabbitMq::single`], [`EventBridge::single`] and [`Postgres::single`] are the same for servers of one process. [`ThrowAway`]
//! starts one more node of Kafka for a single test, with other settings or a small disk, and [`ThrowAwayPostgres`] one more
//! PostgreSQL. [`python_with`] has a client from PyPI ready.
//!
//! Everything listens on 127.0.0.1 only. All calls block; from asynchronous code, call them through
//! `spawn_blocking` where a wait of seconds would matter.

mod body;
mod choice;
mod deadline;
mod docker;
mod error;
mod eventbridge;
mod exclusive;
mod http;
mod install;
mod java;
mod kafka;
mod kind;
mod made;
mod managed;
mod maven;
mod place;
mod ports;
mod postgres;
mod process;
mod program;
mod python;
mod rabbitmq;
mod registry;
mod server;
mod single;
mod state;
mod status;

pub use crate::error::Error;
pub use crate::eventbridge::{EventBridge, eventbridge_url};
pub use crate::exclusive::Exclusive;
pub use crate::kafka::cluster::Cluster;
pub use crate::kafka::node::{Node, Proxied};
pub use crate::kafka::throw_away::{ThrowAway, ThrowAwayNode};
pub use crate::kafka::{Kafka, PASSWORD, USER, kafka_url, kafka3_url};
pub use crate::managed::Heal;
pub use crate::postgres::throw_away::ThrowAwayPostgres;
pub use crate::postgres::{Postgres, postgres_url};
pub use crate::python::python_with;
pub use crate::rabbitmq::{RabbitMq, rabbitmq_url};
pub use crate::registry::registry_url;
pub use crate::server::{Server, down_throw_away};
pub use crate::single::Single;
pub use crate::status::{State, Status};
