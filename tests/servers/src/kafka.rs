//! Kafka: one node, three nodes, or a node of a test's own.

pub(crate) mod cluster;
mod disk;
pub(crate) mod node;
mod probe;
mod properties;
pub(crate) mod runtime;
pub(crate) mod throw_away;
pub(crate) mod tls;

use crate::error::Error;
use crate::kafka::cluster::Cluster;
use crate::managed::Make;
use crate::server::Server;

/// Who may log in at the SASL listener of `kafka`, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
pub const USER: &str = "jitney";

/// The password of [`USER`].
pub const PASSWORD: &str = "jitney-secret";

/// The clusters that `cargo xtask up` started.
#[derive(Clone, Copy, Debug)]
pub struct Kafka;

impl Kafka {
    /// The single node that `cargo xtask up kafka` started.
    ///
    /// # Errors
    ///
    /// [`Error::Given`] when the environment gives an address, so that there is nothing to control;
    /// [`Error::NoServer`] when it does not run.
    pub fn single() -> Result<Cluster, Error> {
        Cluster::controlled(Server::Kafka)
    }

    /// The three nodes that `cargo xtask up kafka3` started.
    ///
    /// # Errors
    ///
    /// As for [`single`](Self::single).
    pub fn three() -> Result<Cluster, Error> {
        Cluster::controlled(Server::Kafka3)
    }
}

/// The URL of a Kafka for tests: what `JITNEY_KAFKA_URL` says, else the node that `cargo xtask up kafka` started.
///
/// # Errors
///
/// When there is neither; the message names the command that starts one.
pub fn kafka_url() -> Result<String, Error> {
    Cluster::url_of(Server::Kafka)
}

/// The URL of a Kafka with three nodes: what `JITNEY_KAFKA3_URL` says, else what `cargo xtask up kafka3` started.
///
/// # Errors
///
/// As for [`kafka_url`].
pub fn kafka3_url() -> Result<String, Error> {
    Cluster::url_of(Server::Kafka3)
}
