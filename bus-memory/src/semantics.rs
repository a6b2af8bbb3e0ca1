//! By which broker's rules messages are delivered.

use std::str::FromStr;
use std::time::Duration;

use jitney_core::{Capabilities, Error};

/// By which broker's rules the memory transport delivers, so that a test meets what production will meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Semantics {
    /// A log in partitions: in order per partition; a group commits up to its lowest unsettled offset, and what lies
    /// above is delivered again when a partition moves. Retries with a delay go beside the log, as through a
    /// retry topic, so later events overtake them. It has transactions: a batch is stored as one, and outputs with the
    /// settlement of their cause, once everything earlier in its partition is settled.
    #[default]
    Kafka,
    /// A queue per group behind an event bus, with an archive: no order, at most ten deliveries at once, taken back
    /// when they are not settled in time. A new group gets what is published from then on; the archive is read by
    /// time ([`Start::Time`](jitney_core::transport::Start::Time)).
    EventBridge,
    /// A queue per group: in order, one member reading it and the others standing by until that one goes (a single active
    /// consumer); what is requeued comes again, first; nothing to replay. A new group gets what is published from then on.
    RabbitMq,
}

impl FromStr for Semantics {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Semantics::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, semantics)| *semantics).ok_or_else(|| {
            let names = Semantics::NAMES.map(|(name, _)| name).join(", ");
            Error::config(format!("there are no semantics `{name}`; there are {names}"))
        })
    }
}

impl Semantics {
    /// Every value with its name in a URL.
    pub(crate) const NAMES: [(&'static str, Semantics); 3] = [
        ("kafka", Semantics::Kafka),
        ("eventbridge", Semantics::EventBridge),
        ("rabbitmq", Semantics::RabbitMq),
    ];

    /// The name in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Semantics::Kafka => "kafka",
            Semantics::EventBridge => "eventbridge",
            Semantics::RabbitMq => "rabbitmq",
        }
    }

    /// Whether groups read a log, and not a queue of their own.
    pub(crate) fn is_log(self) -> bool {
        self == Semantics::Kafka
    }

    /// What a transport with these rules can do.
    pub(crate) fn capabilities(self, settle_within: Duration) -> Capabilities {
        let mut can = Capabilities::none("memory");
        can.delayed_retry = true;
        can.lag = true;
        match self {
            Semantics::Kafka => {
                can.ordered = true;
                can.replayable = true;
                can.transactional = true;
                can.broadcast = true;
                can.backlog = true;
                can.max_message_bytes = Some(1_048_588); // `message.max.bytes`
            }
            Semantics::EventBridge => {
                can.replayable = true;
                can.counts_deliveries = true;
                can.max_batch = Some(10);
                can.max_message_bytes = Some(990_000); // what leaves room within an entry of PutEvents
                can.settle_within = Some(settle_within);
            }
            Semantics::RabbitMq => {
                can.ordered = true;
                can.broadcast = true;
                can.counts_deliveries = true;
                can.max_message_bytes = Some(16_777_216); // `max_message_size`
            }
        }
        can
    }
}
