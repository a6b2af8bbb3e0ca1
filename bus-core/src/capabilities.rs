//! What a transport can do: one value, read by start-up checks, the conformance suite and the documentation.

use std::time::Duration;

use serde::Serialize;

/// What a transport can do.
///
/// Start from [`Capabilities::none`] and say what is there: a new capability then never claims itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Capabilities {
    /// The name of the backend, as in its URL scheme.
    pub backend: &'static str,
    /// Messages of one key reach a group in the order in which they were published.
    pub ordered: bool,
    /// What was acked to the publisher survives a crash of this process.
    pub durable: bool,
    /// A group can go back to an earlier position, or start at one.
    pub replayable: bool,
    /// Outputs and the settling of the delivery can be one transaction.
    pub transactional: bool,
    /// The broker can hold a delivery back and deliver it again later, under an
    /// [`attempt`](crate::transport::Delivery::attempt) that is one higher, whether or not it counts other deliveries.
    pub delayed_retry: bool,
    /// How far a group is behind can be asked for.
    pub lag: bool,
    /// Groups in which every member gets every event.
    pub broadcast: bool,
    /// A new group can read what was published before it existed.
    pub backlog: bool,
    /// The number of times that a message was delivered is known to the broker.
    pub counts_deliveries: bool,
    /// The largest body with key and headers, in bytes.
    pub max_message_bytes: Option<usize>,
    /// The most deliveries that come at once.
    pub max_batch: Option<usize>,
    /// The broker takes a delivery back when it is neither settled nor kept alive for this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle_within: Option<Duration>,
}

impl Capabilities {
    /// A backend that can do nothing but publish and deliver at least once.
    pub const fn none(backend: &'static str) -> Self {
        Capabilities {
            backend,
            ordered: false,
            durable: false,
            replayable: false,
            transactional: false,
            delayed_retry: false,
            lag: false,
            broadcast: false,
            backlog: false,
            counts_deliveries: false,
            max_message_bytes: None,
            max_batch: None,
            settle_within: None,
        }
    }
}
