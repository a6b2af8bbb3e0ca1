//! How a memory transport is set up.

mod url;

use std::time::Duration;

use jitney_core::Env;

use crate::{Faults, Memory, Semantics};

/// The set-up of a [`Memory`]; made by [`Memory::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) env: Env,
}

/// Everything that is set up but the environment.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) semantics: Semantics,
    pub(crate) partitions: u32,
    pub(crate) capacity: usize,
    pub(crate) capacity_bytes: usize,
    pub(crate) history: usize,
    pub(crate) history_bytes: usize,
    pub(crate) settle_within: Duration,
    pub(crate) revoke_limit: Duration,
    pub(crate) strict_topics: bool,
    pub(crate) faults: Faults,
    pub(crate) seed: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            semantics: Semantics::Kafka,
            partitions: 4,
            capacity: 65_536,
            capacity_bytes: 64 << 20,
            history: 4_096,
            history_bytes: 16 << 20,
            settle_within: Duration::from_secs(30),
            revoke_limit: Duration::from_secs(10),
            strict_topics: false,
            faults: Faults::none(),
            seed: None,
        }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Builder { config: Config::default(), env: Env::system() }
    }
}

impl Builder {
    /// By which broker's rules messages are delivered; Kafka's unless told otherwise.
    pub fn semantics(mut self, semantics: Semantics) -> Self {
        self.config.semantics = semantics;
        self
    }

    /// In how many partitions a topic is made, at least one; 4 unless told otherwise. Only Kafka's rules know
    /// partitions.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.config.partitions = partitions.max(1);
        self
    }

    /// How many events a topic holds, at least one, that some group has not settled, before publishing waits;
    /// 65,536 unless told otherwise. A topic that no group reads keeps so many and forgets its oldest beyond.
    pub fn capacity(mut self, events: usize) -> Self {
        self.config.capacity = events.max(1);
        self
    }

    /// The same in bytes (see [`Message::size`](jitney_core::message::Message::size)); 64 MiB unless told otherwise.
    /// The last message before the bound may go beyond it.
    pub fn capacity_bytes(mut self, bytes: usize) -> Self {
        self.config.capacity_bytes = bytes.max(1);
        self
    }

    /// How many events a partition keeps for replay when every group has settled them; 4,096 unless told otherwise.
    pub fn history(mut self, events: usize) -> Self {
        self.config.history = events;
        self
    }

    /// The same in bytes; 16 MiB unless told otherwise.
    pub fn history_bytes(mut self, bytes: usize) -> Self {
        self.config.history_bytes = bytes;
        self
    }

    /// How long a delivery may stay unsettled under EventBridge's rules before it is taken back; 30 seconds unless
    /// told otherwise. [`Settler::keep_alive`](jitney_core::transport::Settler::keep_alive) starts it anew.
    pub fn settle_within(mut self, limit: Duration) -> Self {
        self.config.settle_within = limit;
        self
    }

    /// How long a member may still work on a partition that another one gets; 10 seconds unless told otherwise.
    pub fn revoke_limit(mut self, limit: Duration) -> Self {
        self.config.revoke_limit = limit;
        self
    }

    /// Whether topics must be made by [`Admin::ensure_topics`](jitney_core::admin::Admin::ensure_topics) before they
    /// are used; unless told so, they come into being when they are first named.
    pub fn strict_topics(mut self, strict: bool) -> Self {
        self.config.strict_topics = strict;
        self
    }

    /// Which faults strike how often; none unless told otherwise.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.config.faults = faults;
        self
    }

    /// What faults and disorder follow from; the seed of the environment unless told otherwise, and a random one
    /// where that has none.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }

    /// Where time and randomness come from; the bus must be given the same.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The transport.
    #[must_use]
    pub fn build(self) -> Memory {
        Memory::with(self.config, self.env)
    }
}
