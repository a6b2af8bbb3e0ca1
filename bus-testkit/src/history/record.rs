//! One thing that happened.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One thing that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Who wrote it down; unique per process.
    pub recorder: String,
    /// The place in that recorder's order.
    pub number: u64,
    /// The time of day in milliseconds since 1970, by the recorder's clock.
    pub millis: i64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// A publish is about to begin. Without a [`What::Published`] after it, its outcome is unknown.
    Publishing {
        /// The event.
        event: EventRef,
    },
    /// A publish was answered.
    Published {
        /// The event.
        event: EventRef,
        /// The answer.
        outcome: PublishOutcome,
    },
    /// A member joined a group, which from then on owes every event of these topics.
    Joined {
        /// The group; in broadcast mode each member is a group of its own.
        group: String,
        /// The member; never used again for another.
        member: String,
        /// What the group reads.
        topics: Vec<String>,
    },
    /// A delivery came.
    Delivered {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The delivery.
        arrival: Arrival,
    },
    /// A settlement is about to be asked for. Without a [`What::Settled`] after it, as where the process was killed, its
    /// outcome is unknown.
    Settling {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// Epoch and number of the delivery's token.
        token: (u64, u64),
        /// What is asked for.
        settle: SettledAs,
    },
    /// A settlement was answered.
    Settled {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// Epoch and number of the delivery's token.
        token: (u64, u64),
        /// What was asked for.
        settle: SettledAs,
        /// Whether it succeeded.
        ok: bool,
    },
    /// A member is about to release an epoch that is revoked.
    Revoked {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The epoch.
        epoch: u64,
    },
    /// A member learnt that an epoch was taken away some time ago.
    Lost {
        /// The group.
        group: String,
        /// The member.
        member: String,
        /// The epoch.
        epoch: u64,
    },
    /// A member is about to leave its group, or was killed.
    Left {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// A group is about to be sent to another place.
    Rewound {
        /// The group.
        group: String,
    },
    /// Something was broken on purpose: a broker killed, a network cut.
    Fault {
        /// In words.
        fault: String,
    },
}

/// The identity of an event in a history: publishers number the events of each key from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventRef {
    /// The topic that it was published to.
    pub topic: String,
    /// Its key.
    pub key: String,
    /// Its place among the events of the key.
    pub sequence: u64,
}

impl EventRef {
    /// The event `sequence` of `key` in `topic`.
    pub fn new(topic: impl Into<String>, key: impl Into<String>, sequence: u64) -> Self {
        EventRef { topic: topic.into(), key: key.into(), sequence }
    }
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.topic, self.key, self.sequence)
    }
}

/// How a publish was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishOutcome {
    /// The broker has it.
    Acked,
    /// The broker does not have it.
    Rejected,
    /// It may or may not.
    Unknown,
}

/// A delivery, as far as a history wants to know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// The event, as its body names it.
    pub event: EventRef,
    /// Which delivery it is, as the transport counts.
    pub attempt: u32,
    /// The partition that it came from.
    pub partition: u32,
    /// Its position there.
    pub position: Option<u64>,
    /// The epoch of its token.
    pub epoch: u64,
    /// The number of its token.
    pub token: u64,
}

/// What a settlement asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettledAs {
    /// It is done.
    Ack,
    /// Deliver it again.
    Retry,
    /// It is stored beside.
    DeadLetter,
}

impl Record {
    /// Whether this certainly happened before `other`: within one recorder by order, across recorders by their
    /// clocks, which may be apart by `slack`.
    pub fn is_before(&self, other: &Record, slack: Duration) -> bool {
        if self.recorder == other.recorder {
            return self.number < other.number;
        }
        let slack = i64::try_from(slack.as_millis()).unwrap_or(i64::MAX);
        self.millis.saturating_add(slack) < other.millis
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8} ms  {}  ", self.millis, self.recorder)?;
        match &self.what {
            What::Publishing { event } => write!(f, "publishing {event}"),
            What::Published { event, outcome } => write!(f, "published {event}: {outcome:?}"),
            What::Joined { group, member, topics } => {
                write!(f, "{member} joined {group} for {}", topics.join(", "))
            }
            What::Delivered { group, member, arrival } => {
                let Arrival { event, attempt, partition, position, epoch, token } = arrival;
                write!(
                    f,
                    "delivered {event} to {member} of {group}, attempt {attempt}, partition {partition}"
                )?;
                if let Some(position) = position {
                    write!(f, " at {position}")?;
                }
                write!(f, ", token {epoch}.{token}")
            }
            What::Settling { group, member, token: (epoch, number), settle } => {
                write!(f, "{member} of {group} settling token {epoch}.{number}: {settle:?}")
            }
            What::Settled { group, member, token: (epoch, number), settle, ok } => {
                let answer = if *ok { "ok" } else { "failed" };
                write!(f, "{member} of {group} settled token {epoch}.{number}: {settle:?} {answer}")
            }
            What::Revoked { group, member, epoch } => {
                write!(f, "{member} of {group} released epoch {epoch}")
            }
            What::Lost { group, member, epoch } => write!(f, "{member} of {group} lost epoch {epoch}"),
            What::Left { group, member } => write!(f, "{member} left {group}"),
            What::Rewound { group } => write!(f, "{group} was sent to another place"),
            What::Fault { fault } => write!(f, "fault: {fault}"),
        }
    }
}
