//! Which partitions of a topic this process writes to: those that a consumer group gives it.
//!
//! The group is Kafka's own way to agree on who owns what, and nothing is read through it. A process joins with its first
//! write, so that those who only read own nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::watch;

use super::log::Log;
use super::place::Follower;
use super::queue::Queue;
use super::writer::Writer;
use crate::cluster::{Cluster, Observer};
use crate::error;
use crate::member_context::{MemberContext, Rebalance};

/// The longest time between two looks at what the group says.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often is looked whether writers have ended that must.
const LOOK_AT_WRITERS: Duration = Duration::from_millis(5);

/// The membership of a store in the group that shares out a topic's partitions.
pub(super) struct Ownership {
    shared: Arc<Shared>,
    look: Sender<()>,
}

/// What a member is made of.
pub(super) struct Membership {
    pub(super) cluster: Arc<Cluster>,
    /// The name of the store.
    pub(super) service: String,
    pub(super) group: String,
    /// The settings of the client.
    pub(super) settings: ClientConfig,
    /// Sees what is not committed, too.
    pub(super) onlooker: Arc<Observer>,
    /// The partitions of the topic.
    pub(super) logs: Vec<Arc<Log>>,
}

struct Shared {
    group: String,
    state: Mutex<State>,
    /// Hears of each change.
    changed: watch::Sender<()>,
    is_over: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The group has said what is ours.
    is_settled: bool,
    owned: BTreeMap<i32, Arc<Queue>>,
    /// Why the group says nothing.
    trouble: Option<String>,
}

/// Whose a partition is.
pub(super) enum Owner {
    Us(Arc<Queue>),
    Another,
    /// The group has not said yet, and why, where that is known.
    NotSaid(Option<String>),
}

impl Ownership {
    /// Joins the group.
    ///
    /// # Errors
    ///
    /// When the client or its thread cannot be made.
    pub(super) fn join(membership: Membership) -> Result<Self, jitney_core::Error> {
        let doing = format!("joining group `{}` to write", membership.group);
        let made = membership.settings.create_with_context(MemberContext::default());
        let mut consumer: BaseConsumer<MemberContext> =
            made.map_err(|error| error::bad_settings(&doing, &error))?;
        let (look, looks) = channel();
        let told = look.clone();
        consumer.set_nonempty_callback(move || {
            // It has ended by itself where nobody hears this.
            let _ = told.send(());
        });
        let topic = membership.logs.first().map_or("", |log| &*log.place().topic);
        consumer.subscribe(&[topic]).map_err(|error| error::client(&doing, error))?;
        let shared = Arc::new(Shared {
            group: membership.group.clone(),
            state: Mutex::default(),
            changed: watch::Sender::new(()),
            is_over: AtomicBool::new(false),
        });
        let member = Member { shared: Arc::clone(&shared), consumer: Arc::new(consumer), membership, looks };
        let thread = std::thread::Builder::new().name("jitney-kafka-owner".to_owned());
        thread.spawn(move || member.run()).map_err(|source| {
            jitney_core::Error::new(jitney_core::ErrorKind::Transport, doing).with_source(source)
        })?;
        Ok(Ownership { shared, look })
    }

    /// Whose a partition is.
    pub(super) fn owner(&self, partition: i32) -> Owner {
        let state = self.shared.lock();
        match state.owned.get(&partition) {
            Some(queue) => Owner::Us(Arc::clone(queue)),
            None if state.is_settled => Owner::Another,
            None => Owner::NotSaid(state.trouble.clone()),
        }
    }

    /// Hears of each change of owners.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    /// The name of the group.
    pub(super) fn group(&self) -> &str {
        &self.shared.group
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // It has ended by itself where nobody hears this.
        let _ = self.look.send(());
    }
}

impl Shared {
    // Each change is complete before the lock is given back.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_replace(());
    }
}

/// The thread of a member.
struct Member {
    shared: Arc<Shared>,
    consumer: Arc<BaseConsumer<MemberContext>>,
    membership: Membership,
    looks: Receiver<()>,
}

impl Member {
    fn run(self) {
        while !self.shared.is_over.load(Ordering::Acquire) {
            // Looked at in any case.
            let _ = self.looks.recv_timeout(LOOK_EVERY);
            while self.looks.try_recv().is_ok() {}
            self.poll();
            while let Some(rebalance) = self.consumer.context().next_rebalance() {
                if !self.answer(rebalance) {
                    break;
                }
            }
        }
        self.leave();
    }

    /// Serves the client's queue.
    fn poll(&self) {
        // An event that is served inside looks the same as none, and records are of no interest.
        for _ in 0..4 {
            if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
                self.interrupted(&error);
            }
        }
    }

    fn interrupted(&self, error: &KafkaError) {
        tracing::warn!(group = self.shared.group, %error, "sharing out an event store's partitions was interrupted");
        self.shared.lock().trouble = Some(error.to_string());
    }

    /// Does what the group says; false where that is to be done again.
    fn answer(&self, rebalance: Rebalance) -> bool {
        let mut is_done = true;
        match rebalance {
            Rebalance::Assign(partitions) => {
                if let Err(error) = self.assign(&partitions) {
                    // Asked again at the next look: without an answer the group waits.
                    tracing::warn!(group = self.shared.group, %error, "taking partitions over is tried again");
                    self.consumer.context().put_back(Rebalance::Assign(partitions));
                    is_done = false;
                }
            }
            Rebalance::Revoke(partitions) => {
                let is_lost = self.consumer.assignment_lost();
                self.give_away(
                    |partition| partitions.elements().iter().any(|one| one.partition() == partition),
                    is_lost,
                );
                if let Err(error) = self.consumer.incremental_unassign(&partitions) {
                    tracing::warn!(group = self.shared.group, %error, "giving partitions away failed");
                }
            }
        }
        self.shared.tell();
        is_done
    }

    fn assign(&self, partitions: &TopicPartitionList) -> Result<(), KafkaError> {
        let assigned = self.consumer.assignment()?;
        let mut new = TopicPartitionList::new();
        for element in partitions.elements() {
            // Others were assigned, and only not paused, where this is done again.
            if assigned.find_partition(element.topic(), element.partition()).is_none() {
                new.add_partition_offset(element.topic(), element.partition(), Offset::End)?;
            }
        }
        self.consumer.incremental_assign(&new)?;
        if partitions.count() > 0 {
            // The partitions are read by the store's own reader.
            self.consumer.pause(partitions)?;
        }
        let mut state = self.shared.lock();
        for element in partitions.elements() {
            let number = element.partition();
            let log = self.membership.logs.iter().find(|log| log.place().partition == number);
            let Some(log) = log else {
                tracing::error!(
                    topic = element.topic(),
                    partition = number,
                    "the topic of an event store has grown, and keys are on other partitions now: it is not used any more"
                );
                self.membership.logs.iter().for_each(|log| log.refuse_all());
                continue;
            };
            match self.writer(log) {
                Ok(queue) => drop(state.owned.insert(number, queue)),
                Err(error) => {
                    tracing::error!(partition = &*log.place().name, %error, "starting a writer failed")
                }
            }
        }
        state.is_settled = true;
        state.trouble = None;
        Ok(())
    }

    /// Starts the writer of a partition.
    fn writer(&self, log: &Arc<Log>) -> std::io::Result<Arc<Queue>> {
        let Membership { cluster, service, group, .. } = &self.membership;
        let place = log.place();
        let queue = Arc::new(Queue::new(&place.name, group));
        let name = format!("{service}.{}", place.name);
        let writer = Writer {
            cluster: Arc::clone(cluster),
            log: Arc::clone(log),
            queue: Arc::clone(&queue),
            transactions: cluster.transactions(name, service),
            member: Arc::downgrade(&self.consumer),
            onlooker: Arc::clone(&self.membership.onlooker),
            sent: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("jitney-kafka-write".to_owned());
        thread.spawn(move || writer.run())?;
        Ok(queue)
    }

    /// Has writers end, and waits until they have, where the partitions are still ours.
    fn give_away(&self, which: impl Fn(i32) -> bool, is_lost: bool) {
        let mut state = self.shared.lock();
        let gone: Vec<_> =
            state.owned.extract_if(.., |partition, _| which(*partition)).map(|(_, queue)| queue).collect();
        if is_lost {
            // The group says anew what is ours when it was joined again.
            state.is_settled = false;
        }
        drop(state);
        self.shared.tell();
        gone.iter().for_each(|queue| queue.revoke());
        let env = &self.membership.cluster.env;
        let deadline = env.instant() + self.membership.cluster.config.revoke_limit;
        while !is_lost && env.instant() < deadline && !gone.iter().all(|queue| queue.is_over()) {
            std::thread::sleep(LOOK_AT_WRITERS);
            self.poll();
        }
    }

    fn leave(self) {
        self.give_away(|_| true, false);
        self.consumer.context().close(&self.consumer, None);
        // The last owner: it leaves the group.
        drop(self.consumer);
    }
}
