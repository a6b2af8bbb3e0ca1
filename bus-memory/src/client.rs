//! The transport itself: a handle that is cheap to clone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::admin::{Admin, Lag};
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{Published, Subscribed, Subscription, Transport};
use jitney_core::{Capabilities, Env, Error};

use crate::Semantics;
use crate::config::{Builder, Config};
use crate::connection::Connection;
use crate::error;
use crate::settler::MemorySettler;
use crate::source::MemorySource;
use crate::state::Shared;
use crate::transaction::Part;

/// The memory transport. Clones are one connection to the same topics and groups, so a test can keep one beside the
/// bus and look inside, after it was closed too; [`connect`](Memory::connect) makes another connection.
///
/// Everything that is published lies in this process and ends with it.
#[derive(Debug, Clone)]
pub struct Memory {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connection: Arc<Connection>,
}

impl Memory {
    /// A transport by Kafka's rules, with the defaults of [`Builder`] and the system's time and randomness.
    #[must_use]
    pub fn new() -> Self {
        Memory::builder().build()
    }

    /// Sets up a transport.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The transport that `url` describes: `memory://?semantics=eventbridge&seed=7&duplicate=0.3`.
    ///
    /// | parameter | value |
    /// |---|---|
    /// | `semantics` | `kafka`, `eventbridge`, `rabbitmq` ([`Semantics`]) |
    /// | `partitions`, `capacity`, `capacity_bytes`, `history`, `history_bytes` | a number ([`Builder`]) |
    /// | `settle_within`, `revoke_limit` | a duration: `500ms`, `30s`, `5m` |
    /// | `strict_topics` | `true`, `false` |
    /// | `seed` | a number |
    /// | `duplicate`, `delay`, `reorder`, `drop_ack`, `reject`, `unknown`, `crash` | a probability from 0 to 1 ([`Faults`](crate::Faults)) |
    /// | `delay_up_to`, `faults_per_message` | a duration, a number |
    ///
    /// To give it another [`Env`], use [`Builder::from_url`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](jitney_core::ErrorKind::Config), naming the parameter, its value and what is allowed.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Ok(Builder::from_url(url)?.build())
    }

    pub(crate) fn with(config: Config, env: Env) -> Self {
        Memory::on(Arc::new(Shared::new(config, env)))
    }

    fn on(shared: Arc<Shared>) -> Self {
        let connection = Arc::new(shared.with(|locked| locked.connect()));
        Memory { shared, connection }
    }

    /// Another connection to the same topics and groups, as of another process: closing one leaves the other open.
    #[must_use]
    pub fn connect(&self) -> Self {
        Memory::on(self.shared.clone())
    }

    /// By which broker's rules it delivers.
    pub fn semantics(&self) -> Semantics {
        self.shared.config.semantics
    }

    /// What faults and disorder follow from: the same seed gives the same run, where tasks run in the same order.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }

    /// Where time and randomness come from.
    pub fn env(&self) -> &Env {
        &self.shared.env
    }

    /// The names of all topics, those of dead letters included, in the order in which they were made.
    pub fn topics(&self) -> Vec<String> {
        self.shared.with(|locked| locked.state.topics.iter().map(|topic| topic.name.to_string()).collect())
    }

    /// What `topic` still holds, in the order in which it was published: what is unsettled, and the history.
    pub fn messages(&self, topic: &str) -> Vec<Arc<Message>> {
        self.shared.with(|locked| {
            let topics = &locked.state.topics;
            topics.find(topic).map(|topic| topics.get(topic).messages()).unwrap_or_default()
        })
    }

    /// How many deliveries are owed to `group`: what is not settled, in flight and delayed included. Zero for a
    /// group that does not exist.
    pub fn pending(&self, group: &str) -> u64 {
        self.lag_of(group).unwrap_or_default().iter().map(|lag| lag.events).sum()
    }

    /// Whether every group has settled everything that was published: nothing can be delivered, is in flight or
    /// delayed.
    pub fn is_idle(&self) -> bool {
        self.shared.with(|locked| locked.state.is_quiet())
    }

    /// Waits until [`is_idle`](Memory::is_idle), or until this connection is closed. Where a group has no member that
    /// settles, that is for ever. Dropping the future changes nothing.
    pub async fn idle(&self) {
        loop {
            let quiet = self.shared.quiet.notified();
            if self.is_idle() || self.connection.is_closed() {
                return;
            }
            quiet.await;
        }
    }

    /// Ends `group` as if it had never been: nothing waits for it, and the sources of its members are closed.
    /// Answers whether there was such a group.
    pub fn forget_group(&self, group: &str) -> bool {
        self.shared.with(|locked| {
            let groups = locked.groups_called(group);
            groups.iter().for_each(|index| locked.end_group(*index));
            !groups.is_empty()
        })
    }

    /// How far `group` is behind; none where there is no such group.
    pub(crate) fn lag_of(&self, group: &str) -> Option<Vec<Lag>> {
        self.shared.with(|locked| {
            let groups = locked.groups_called(group);
            let mut lag = Vec::new();
            for index in &groups {
                let Some((group, cx)) = locked.group(*index) else { continue };
                for (topic, partition, events) in group.lag(&cx) {
                    lag.push(Lag { topic: cx.topics.get(topic).name.to_string(), partition, events });
                }
            }
            (!groups.is_empty()).then_some(lag)
        })
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

#[async_trait]
impl Transport for Memory {
    fn capabilities(&self) -> &Capabilities {
        &self.shared.capabilities
    }

    fn describe(&self) -> String {
        format!("memory://?semantics={}", self.semantics().as_str())
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        self.shared.store_all(&self.connection, batch.into_iter().map(|outbound| outbound.message)).await
    }

    async fn publish_one(&self, message: Outbound) -> Published {
        self.shared.store(&self.connection, message.message).await
    }

    async fn publish_atomically(&self, batch: Vec<Outbound>) -> Published {
        if !self.shared.capabilities.transactional {
            let doing = format!("publishing {} messages as one", batch.len());
            let instead = "publish them one by one, or through an outbox";
            return Published::Rejected(error::unsupported(self.semantics(), &doing, instead));
        }
        let parts = batch.into_iter().map(|outbound| Part::new(outbound.message)).collect();
        self.shared.store_as_one(&self.connection, parts).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error> {
        let (group, member) = self.shared.with(|locked| locked.subscribe(&self.connection, &subscription))?;
        Ok(Subscribed {
            source: Box::new(MemorySource::new(self.shared.clone(), group, member)),
            settler: Arc::new(MemorySettler::new(
                self.shared.clone(),
                self.connection.clone(),
                group,
                member,
                subscription.exactly_once,
            )),
        })
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    async fn close(&self, _limit: Duration) -> Result<(), Error> {
        self.shared.with(|locked| locked.close(&self.connection));
        self.shared.quiet.notify_waiters();
        Ok(())
    }
}
