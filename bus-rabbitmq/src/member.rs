//! One member of one group: the state that its source and its settler share.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::join_all;
use futures_util::task::AtomicWaker;
use jitney_core::Error;
use jitney_core::transport::{Epoch, SourceEvent, Token};
use lapin::Channel;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tokio::runtime::Handle;

use crate::consumer::{Consumer, Opened};
use crate::link::Link;
use crate::topology::Topology;
use crate::{error, names};

/// A member, as long as anybody knows it.
pub(crate) struct Member {
    pub(crate) group: String,
    pub(crate) link: Arc<Link>,
    topology: Topology,
    prefetch: u16,
    has_retries: bool,
    /// Wakes the task that reads the source.
    pub(crate) task: AtomicWaker,
    state: Mutex<State>,
}

/// What changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) consumers: BTreeMap<Epoch, Consumer>,
    /// What the source has to tell before anything else.
    pub(crate) news: VecDeque<Result<SourceEvent, Error>>,
    /// The connection is interrupted, and the source has told.
    pub(crate) is_interrupted: bool,
    /// The member has left.
    pub(crate) is_over: bool,
    epochs: u64,
}

impl Member {
    pub(crate) fn new(
        group: String,
        link: Arc<Link>,
        topology: Topology,
        prefetch: usize,
        has_retries: bool,
    ) -> Self {
        // 0 would be no limit.
        let prefetch = u16::try_from(prefetch.max(1)).unwrap_or(u16::MAX);
        let (task, state) = (AtomicWaker::new(), Mutex::default());
        Member { group, link, topology, prefetch, has_retries, task, state }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many deliveries may be handed out and unsettled.
    pub(crate) fn prefetch(&self) -> usize {
        self.prefetch.into()
    }

    /// In how many queues the group's events are.
    pub(crate) fn partitions(&self) -> u32 {
        self.topology.partitions()
    }

    /// Declares what the group needs and begins to consume one of its queues.
    ///
    /// # Errors
    ///
    /// When the server refuses, or the connection is lost meanwhile.
    pub(crate) async fn open(&self, partition: u32) -> Result<Opened, Error> {
        let channel = self.link.channel().await?;
        let queue = self.topology.declare(&channel, partition).await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(|error| {
            error::failed(&format!("setting the prefetch for group `{}`", self.group), &error)
        })?;
        let incoming = self.consume(&channel, &queue).await?;
        let presence = match (self.partitions(), partition) {
            (2.., 0) => Some(self.consume(&channel, &self.group).await?),
            _ => None,
        };
        Ok(Opened { partition, channel, incoming, presence })
    }

    async fn consume(&self, channel: &Channel, queue: &str) -> Result<lapin::Consumer, Error> {
        let doing = format!("consuming queue `{queue}` of group `{}`", self.group);
        let (queue, options) = (names::short(&doing, queue)?, BasicConsumeOptions::default());
        let consuming = channel.basic_consume(queue, "".into(), options, FieldTable::default());
        consuming.await.map_err(|error| error::failed(&doing, &error))
    }

    /// The same, again and again until it is done.
    ///
    /// # Errors
    ///
    /// When trying again does not help.
    pub(crate) async fn reopen(self: Arc<Self>, partition: u32) -> Result<Opened, Error> {
        let doing = format!("consuming for group `{}` of {}", self.group, self.link.describe());
        let mut failures = 0;
        loop {
            match self.link.ask(&doing, self.open(partition)).await {
                Err(error) if error.is_retryable() => {
                    match failures {
                        0 => {
                            tracing::warn!(group = self.group, %error, "a group is not consumed, and it is tried until it is")
                        }
                        _ => tracing::debug!(group = self.group, %error, "a group is still not consumed"),
                    }
                    failures += 1;
                    self.link.env.sleep(self.link.pause(failures)).await;
                }
                done => return done,
            }
        }
    }

    /// How many partitions each member may read, so that all of them can read some.
    ///
    /// # Errors
    ///
    /// When the server does not say how many members there are.
    pub(crate) async fn share(self: Arc<Self>) -> Result<usize, Error> {
        let doing = format!("counting the members of group `{}`", self.group);
        let counting = async {
            let channel = self.link.channel().await?;
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let queue = names::short(&doing, &self.group)?;
            let declared = channel.queue_declare(queue, options, FieldTable::default()).await;
            let members = declared.map_err(|error| error::failed(&doing, &error))?.consumer_count();
            Ok(self.partitions().div_ceil(members.max(1)) as usize)
        };
        self.link.ask(&doing, counting).await
    }

    /// Reads what was opened, under an epoch of its own.
    pub(crate) fn add(&self, opened: Opened) {
        let mut state = self.lock();
        let epoch = state.new_epoch();
        let consumer = Consumer::new(epoch, opened, self.link.config.order, self.has_retries);
        if !state.is_over {
            state.consumers.insert(epoch, consumer);
        }
    }

    /// Begins to hand over what `consumer` has; answers what the source is to tell.
    pub(crate) fn revoke(&self, consumer: &mut Consumer) -> Result<SourceEvent, Error> {
        let config = &self.link.config;
        // The server does not wait for longer than its own limit.
        let limit = config.revoke_limit.min(config.consumer_timeout / 10);
        consumer.revoked = Some(self.link.env.instant() + limit);
        Ok(SourceEvent::Revoking { epoch: consumer.epoch, limit })
    }

    /// Says that nothing of `epoch` will be settled any more.
    pub(crate) fn release(&self, epoch: Epoch) {
        let now = self.link.env.instant();
        if let Some(consumer) = self.lock().consumers.get_mut(&epoch)
            && consumer.revoked.is_some()
        {
            consumer.revoked = Some(now);
        }
        self.task.wake();
    }

    /// How many deliveries of `partition` are unsettled.
    pub(crate) fn unsettled(&self, partition: u32) -> usize {
        let state = self.lock();
        let of_it = state.consumers.values().filter(|consumer| consumer.partition == partition);
        of_it.map(Consumer::unsettled).sum()
    }

    /// Leaves the group: what is unsettled goes back. The future ends when the server has heard it.
    pub(crate) fn leave(&self) -> impl Future<Output = ()> + Send + 'static {
        let consumers = {
            let mut state = self.lock();
            state.is_over = true;
            std::mem::take(&mut state.consumers)
        };
        self.task.wake();
        join_all(consumers.into_values().map(Consumer::end)).map(drop)
    }

    /// Lets `leaving` go on by itself.
    pub(crate) fn let_go(&self, leaving: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime the channel ends with what is dropped.
        if Handle::try_current().is_ok() {
            drop(self.link.env.spawn(leaving));
        }
    }
}

impl State {
    /// The consumer that `token` came by, where it is in force and the delivery unsettled.
    pub(crate) fn holder(&mut self, token: Token) -> Option<&mut Consumer> {
        self.consumers.get_mut(&token.epoch).filter(|consumer| consumer.holds(token.number))
    }

    /// An epoch that was not given out before.
    fn new_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        Epoch(self.epochs)
    }
}
