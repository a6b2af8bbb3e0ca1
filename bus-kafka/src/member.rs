//! One member of one group: the state that its source, its settler and its driver share.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::task::AtomicWaker;
use jitney_core::Error;
use jitney_core::transport::{Epoch, SourceEvent, Token};
use rapidhash::RapidHashMap;
use rdkafka::error::KafkaResult;
use tokio::sync::oneshot;

use crate::cluster::Cluster;
use crate::partition::Partition;
use crate::places::Places;

/// A member, as long as anybody knows it.
pub(crate) struct Member {
    /// The group that it is a member of, as the cluster knows it.
    pub(crate) group: String,
    pub(crate) cluster: Arc<Cluster>,
    /// What it reads.
    pub(crate) topics: Vec<String>,
    /// Wakes the task that reads the source.
    pub(crate) task: AtomicWaker,
    state: Mutex<State>,
    driver: Sender<Command>,
}

/// What the driver is asked to do.
pub(crate) enum Command {
    /// Look at the queue of the client.
    Look,
    /// Go on elsewhere in the partitions that are this member's.
    Seek(Places, oneshot::Sender<KafkaResult<()>>),
    /// Leave the group; told when that is done.
    Leave(oneshot::Sender<()>),
}

/// What changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) partitions: RapidHashMap<Epoch, Partition>,
    /// In which order partitions are read; the first one is next.
    pub(crate) turns: VecDeque<Epoch>,
    /// What the source has to tell before anything else.
    pub(crate) news: VecDeque<Result<SourceEvent, Error>>,
    /// How many deliveries are unsettled.
    pub(crate) unsettled: usize,
    /// Whether the source waits until something is settled.
    pub(crate) is_full: bool,
    /// What is being taken away and was not released.
    pub(crate) revoked: Vec<Epoch>,
    /// The connection is interrupted, and the source has told.
    pub(crate) is_interrupted: bool,
    /// The member has left, or is about to.
    pub(crate) is_over: bool,
    epochs: u64,
}

impl Member {
    pub(crate) fn new(
        group: String,
        cluster: Arc<Cluster>,
        topics: Vec<String>,
        driver: Sender<Command>,
    ) -> Self {
        Member { group, cluster, topics, task: AtomicWaker::new(), state: Mutex::default(), driver }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the driver.
    pub(crate) fn tell(&self, command: Command) {
        // A driver that has ended has done all there was to do.
        let _ = self.driver.send(command);
    }

    /// Has the source tell something.
    pub(crate) fn report(&self, news: Result<SourceEvent, Error>) {
        self.lock().news.push_back(news);
        self.task.wake();
    }

    /// Settles one delivery; a token that is not in force is ignored.
    pub(crate) fn settle(&self, token: Token) {
        let is_waited_for = self.lock().settle(token);
        if is_waited_for {
            self.task.wake();
        }
    }

    /// Goes on at `places`. The receiver is told when the driver has done it.
    pub(crate) fn seek(&self, places: Places) -> oneshot::Receiver<KafkaResult<()>> {
        let (done, sought) = oneshot::channel();
        self.tell(Command::Seek(places, done));
        sought
    }

    /// Leaves the group. The receiver is told when the driver has done it, or has ended.
    pub(crate) fn leave(&self) -> oneshot::Receiver<()> {
        let (done, left) = oneshot::channel();
        self.tell(Command::Leave(done));
        left
    }
}

impl State {
    /// The partition that `token` came by, where it is in force and the delivery unsettled.
    pub(crate) fn holder(&mut self, token: Token) -> Option<&mut Partition> {
        self.partitions.get_mut(&token.epoch).filter(|partition| partition.holds(token.number))
    }

    /// Settles one delivery. Answers whether the source waits for that.
    pub(crate) fn settle(&mut self, token: Token) -> bool {
        let Some(partition) = self.partitions.get_mut(&token.epoch) else { return false };
        if !partition.settle(token.number) {
            return false;
        }
        self.unsettled -= 1;
        std::mem::take(&mut self.is_full)
    }

    /// Nothing of `epoch` will be settled any more.
    pub(crate) fn release(&mut self, epoch: Epoch) {
        self.revoked.retain(|revoked| *revoked != epoch);
    }

    /// An epoch that was not given out before.
    pub(crate) fn new_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        Epoch(self.epochs)
    }

    /// Begins a partition anew, whose log has done so.
    pub(crate) fn restart(&mut self, epoch: Epoch) {
        let Some(mut partition) = self.remove(epoch) else { return };
        let (topic, number) = (&*partition.topic, partition.number);
        tracing::warn!(
            topic,
            partition = number,
            "a log begins anew at an earlier offset, and is read from there"
        );
        partition.restart(self.new_epoch());
        self.news.push_back(Ok(SourceEvent::Lost { epoch }));
        self.add(partition);
    }

    /// Begins to read a partition.
    pub(crate) fn add(&mut self, partition: Partition) {
        self.turns.push_back(partition.epoch);
        self.partitions.insert(partition.epoch, partition);
    }

    /// Forgets a partition: nothing of it can be settled any more.
    pub(crate) fn remove(&mut self, epoch: Epoch) -> Option<Partition> {
        let partition = self.partitions.remove(&epoch)?;
        self.turns.retain(|turn| *turn != epoch);
        self.release(epoch);
        self.unsettled -= partition.unsettled();
        Some(partition)
    }
}
