//! The thread of a member: it serves the client's queue, answers the group's decisions, and commits.
//!
//! Nothing waits inside a callback of the client, since deliveries would not be settled meanwhile. A decision of the group is
//! kept, and answered here when the reader has let go of the partitions, or the limit for that has passed. Because this
//! thread polls all the time, no handler is ever too slow for `max.poll.interval.ms`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use jitney_core::message::Topic;
use jitney_core::transport::{Epoch, SourceEvent};
use jitney_core::{Error, ErrorKind};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error;
use crate::member::{Command, Member};
use crate::member_context::{MemberContext, Rebalance};
use crate::partition::Partition;
use crate::places::Places;
use crate::window::Window;

/// The longest time between two looks at the client's queue.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What reads the positions of partitions may take on this thread.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// One commit in so many is waited for.
const SURE_EVERY: u32 = 8;

/// So often the client is asked to go elsewhere.
const SEEK_ATTEMPTS: usize = 5;

/// How long to wait before offsets are committed again that the cluster did not take.
const COMMIT_AGAIN: Duration = Duration::from_millis(20);

/// Time beyond the limit of a revoke for its last settlements to arrive here.
const GRACE: Duration = Duration::from_millis(500);

/// Drives one member.
pub(crate) struct Driver {
    pub(crate) member: Arc<Member>,
    pub(crate) consumer: Arc<BaseConsumer<MemberContext>>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) window: Option<Arc<Window>>,
    /// Where partitions begin in which the group has no position.
    pub(crate) starts: BTreeMap<(String, i32), i64>,
    /// Whether deliveries may be handed back, to topics of this name and those that follow.
    pub(crate) retry_topics: Option<Vec<String>>,
    pub(crate) revoking: Option<Revoking>,
    pub(crate) next_commit: Instant,
    pub(crate) ticks: u32,
    /// Nobody reads or settles any more.
    pub(crate) is_leaving: bool,
}

/// Partitions that are to go to others.
pub(crate) struct Revoking {
    partitions: TopicPartitionList,
    epochs: Vec<Epoch>,
    deadline: Instant,
}

impl Driver {
    /// Runs until the member leaves.
    pub(crate) fn run(mut self) {
        let left = loop {
            match self.commands.recv_timeout(self.pause()) {
                Ok(Command::Leave(left)) => break Some(left),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break None,
                Ok(Command::Seek(places, done)) => {
                    // Whoever asked may have gone.
                    let _ = done.send(self.seek(&places));
                }
                Ok(Command::Look) | Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            }
            self.serve();
            self.answer();
            if self.now() >= self.next_commit {
                self.next_commit = self.now() + self.member.cluster.config.commit_interval;
                self.ticks += 1;
                // The client does not tell whether the cluster took what was not waited for.
                let is_sure = self.ticks.is_multiple_of(SURE_EVERY);
                self.commit(if is_sure { CommitMode::Sync } else { CommitMode::Async }, |_| true);
            }
        };
        self.commit_finally();
        self.leave(left);
    }

    /// Commits for the last time. The cluster takes no offsets while the group shares its partitions out anew: until it
    /// does, the group's decisions are answered.
    fn commit_finally(&mut self) {
        let limit = self.member.cluster.config.revoke_limit;
        if let Some(window) = &self.window {
            window.flush(None, limit);
        }
        self.is_leaving = true;
        let deadline = self.now() + limit;
        while !self.consumer.assignment_lost()
            && !self.commit(CommitMode::Sync, |_| true)
            && self.now() < deadline
        {
            std::thread::sleep(COMMIT_AGAIN);
            self.serve();
            self.answer();
        }
    }

    fn now(&self) -> Instant {
        self.member.cluster.env.instant()
    }

    fn pause(&self) -> Duration {
        let until = |deadline: Instant| deadline.saturating_duration_since(self.now());
        let revoking = self.revoking.as_ref().map_or(LOOK_EVERY, |revoking| until(revoking.deadline));
        until(self.next_commit).min(revoking).min(LOOK_EVERY)
    }

    /// Serves the client's queue.
    fn serve(&self) {
        // An event that is served inside looks the same as none.
        for _ in 0..4 {
            match self.consumer.poll(Duration::ZERO) {
                Some(Err(error)) => self.interrupted(error),
                Some(Ok(record)) => {
                    // It belongs into a queue of its own: read it again from there.
                    let (topic, partition) = (record.topic(), record.partition());
                    tracing::error!(topic, partition, "a record came beside its partition's queue");
                    let offset = Offset::Offset(record.offset());
                    self.warn("seeking", self.consumer.seek(topic, partition, offset, ANSWER_WITHIN));
                }
                None => {}
            }
        }
    }

    fn interrupted(&self, error: KafkaError) {
        let doing = format!(
            "receiving for group `{}` from {}",
            self.member.group,
            self.member.cluster.config.describe()
        );
        let is_fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let error = error::client(&doing, error);
        let error = if is_fatal { error.retryable(false) } else { error };
        let mut state = self.member.lock();
        // Once per interruption.
        if error.is_retryable() && std::mem::replace(&mut state.is_interrupted, true) {
            return;
        }
        state.news.push_back(Err(error));
        drop(state);
        self.member.task.wake();
    }

    /// Answers the group's decisions, as far as that is possible now.
    fn answer(&mut self) {
        loop {
            if let Some(revoking) = &self.revoking {
                let is_released = {
                    let state = self.member.lock();
                    self.is_leaving || revoking.epochs.iter().all(|epoch| !state.revoked.contains(epoch))
                };
                if !is_released && self.now() < revoking.deadline {
                    return;
                }
                if let Some(revoking) = self.revoking.take() {
                    self.give_away(&revoking);
                }
            }
            match self.consumer.context().next_rebalance() {
                None => return,
                Some(Rebalance::Revoke(partitions)) => self.revoke(partitions),
                Some(Rebalance::Assign(partitions)) => {
                    if let Err(error) = self.assign(&partitions) {
                        // Asked again at the next look: without an answer the group waits.
                        tracing::warn!(group = self.member.group, %error, "taking partitions over is tried again");
                        self.consumer.context().put_back(Rebalance::Assign(partitions));
                        return;
                    }
                }
            }
        }
    }

    fn assign(&mut self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let assignment = self.with_positions(partitions)?;
        let mut taken = Vec::new();
        for element in assignment.elements() {
            let (topic, number) = (element.topic(), element.partition());
            let Some(queue) = self.consumer.split_partition_queue(topic, number) else {
                return Err(KafkaError::Subscription(format!(
                    "partition {number} of `{topic}` has no queue"
                )));
            };
            let epoch = self.member.lock().new_epoch();
            let member = Arc::downgrade(&self.member);
            let wake = move || {
                if let Some(member) = member.upgrade() {
                    member.task.wake();
                }
            };
            let is_retry_topic =
                self.retry_topics.as_ref().is_some_and(|topics| topics.iter().any(|name| name == topic));
            let may_be_handed_back = self.retry_topics.is_some();
            let topic = Topic::from(topic.to_owned());
            taken.push(Partition::new(epoch, topic, number, queue, wake, may_be_handed_back, is_retry_topic));
        }
        self.consumer.incremental_assign(&assignment)?;
        let mut state = self.member.lock();
        state.is_interrupted = false;
        taken.into_iter().for_each(|partition| state.add(partition));
        drop(state);
        self.member.task.wake();
        Ok(())
    }

    /// `partitions`, each with the place where to begin: the cluster's, or where there is none, that which the subscription
    /// asks for. The latter is committed, so that whoever reads the partition next begins there too.
    ///
    /// The client could look the places up itself, but goes to the beginning of a partition whose place is part of a
    /// transaction that has not ended, once it has tried for long enough or the assignment has changed meanwhile.
    fn with_positions(&self, partitions: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let mut assignment = TopicPartitionList::new();
        if partitions.count() == 0 {
            return Ok(assignment);
        }
        let committed = self.consumer.committed_offsets(partitions.clone(), ANSWER_WITHIN)?;
        let mut new = TopicPartitionList::new();
        for element in committed.elements() {
            element.error()?;
            let (topic, number) = (element.topic(), element.partition());
            let start = self.starts.get(&(topic.to_owned(), number));
            let place = match (element.offset(), start) {
                (Offset::Offset(offset), _) => Offset::Offset(offset),
                (_, Some(start)) => {
                    new.add_partition_offset(topic, number, Offset::Offset(*start))?;
                    Offset::Offset(*start)
                }
                (_, None) => Offset::Beginning,
            };
            assignment.add_partition_offset(topic, number, place)?;
        }
        if new.count() > 0 {
            self.consumer.commit(&new, CommitMode::Sync)?;
        }
        Ok(assignment)
    }

    fn revoke(&mut self, partitions: TopicPartitionList) {
        let limit = self.member.cluster.config.revoke_limit;
        let is_lost = self.consumer.assignment_lost();
        let mut state = self.member.lock();
        let named =
            |partition: &Partition| partitions.find_partition(&partition.topic, partition.number).is_some();
        let epochs: Vec<Epoch> = state
            .partitions
            .values_mut()
            .filter(|partition| named(partition))
            .map(|partition| {
                partition.is_revoked = true;
                partition.epoch
            })
            .collect();
        for epoch in &epochs {
            let epoch = *epoch;
            let news = if is_lost {
                SourceEvent::Lost { epoch }
            } else {
                state.revoked.push(epoch);
                SourceEvent::Revoking { epoch, limit }
            };
            state.news.push_back(Ok(news));
        }
        drop(state);
        self.member.task.wake();
        if is_lost {
            tracing::warn!(group = self.member.group, "partitions were lost: others may have them already");
        }
        let deadline = if is_lost { self.now() } else { self.now() + limit + GRACE };
        self.revoking = Some(Revoking { partitions, epochs, deadline });
    }

    /// Goes on at `places`, in the partitions that are this member's; what is in flight there is lost, and comes again
    /// where it lies behind the new place.
    fn seek(&mut self, places: &Places) -> KafkaResult<()> {
        let _paused = self.window.as_ref().map(|window| window.pause());
        let mut offsets = TopicPartitionList::new();
        let mut before = TopicPartitionList::new();
        let mut sought = Vec::new();
        let mut state = self.member.lock();
        for epoch in state.turns.clone() {
            let Some(partition) = state.partitions.get(&epoch).filter(|partition| !partition.is_revoked)
            else {
                continue;
            };
            let (topic, number) = (partition.topic.to_string(), partition.number);
            let Some(offset) = places.get(&(topic.clone(), number)) else { continue };
            offsets.add_partition_offset(&topic, number, Offset::Offset(*offset))?;
            if let Some(position) = partition.position().and_then(|position| i64::try_from(position).ok()) {
                before.add_partition_offset(&topic, number, Offset::Offset(position))?;
            }
            // Nobody reads it meanwhile.
            sought.extend(state.remove(epoch));
            state.news.push_back(Ok(SourceEvent::Lost { epoch }));
        }
        drop(state);
        self.member.task.wake();
        if sought.is_empty() {
            return Ok(());
        }
        let committed = self.consumer.commit(&offsets, CommitMode::Sync);
        // What was handed out and dropped here must be read again, wherever that is.
        let target = if committed.is_ok() { offsets } else { before };
        self.go_to(&target);
        let mut state = self.member.lock();
        for mut partition in sought {
            partition.restart(state.new_epoch());
            state.add(partition);
        }
        drop(state);
        self.member.task.wake();
        committed
    }

    /// Has the client read on at `offsets`. Where it does not in the end, the group cannot go on here without losing events.
    fn go_to(&self, offsets: &TopicPartitionList) {
        for _ in 0..SEEK_ATTEMPTS {
            match self.consumer.seek_partitions(offsets.clone(), ANSWER_WITHIN) {
                Ok(sought) if sought.elements().iter().all(|element| element.error().is_ok()) => return,
                Ok(_) => {}
                Err(error) => self.warn("seeking", Err(error)),
            }
        }
        let what = format!(
            "sending group `{}` of {} elsewhere: the client did not go there; start the application anew",
            self.member.group,
            self.member.cluster.config.describe()
        );
        self.member.report(Err(Error::new(ErrorKind::Transport, what).retryable(false)));
    }

    fn give_away(&mut self, revoking: &Revoking) {
        if !self.consumer.assignment_lost() {
            if let Some(window) = &self.window {
                window.flush(Some(&revoking.epochs), self.member.cluster.config.revoke_limit);
            }
            self.commit(CommitMode::Sync, |partition| revoking.epochs.contains(&partition.epoch));
        }
        let gone: Vec<_> = {
            let mut state = self.member.lock();
            revoking.epochs.iter().filter_map(|epoch| state.remove(*epoch)).collect()
        };
        // Queues of the client, which nobody reads any more; and settlements, which have no effect.
        drop(gone);
        let _paused = self.window.as_ref().map(|window| window.pause());
        let given = self.consumer.incremental_unassign(&revoking.partitions);
        self.warn("giving partitions away", given);
        self.member.task.wake();
    }

    /// Commits where the partitions are that `which` says; false where that failed.
    fn commit(&self, mode: CommitMode, which: impl Fn(&Partition) -> bool) -> bool {
        if self.window.is_some() {
            return true;
        }
        let is_sure = matches!(mode, CommitMode::Sync);
        let mut offsets = TopicPartitionList::new();
        let mut positions = Vec::new();
        let mut state = self.member.lock();
        for partition in state.partitions.values_mut().filter(|partition| which(partition)) {
            let Some(position) = partition.to_commit(is_sure) else { continue };
            let Ok(offset) = i64::try_from(position) else { continue };
            let offset = Offset::Offset(offset);
            if offsets.add_partition_offset(&partition.topic, partition.number, offset).is_ok() {
                partition.sent(position);
                positions.push((partition.epoch, position));
            }
        }
        drop(state);
        if offsets.count() == 0 {
            return true;
        }
        let committed = self.consumer.commit(&offsets, mode);
        if let Err(error) = &committed {
            tracing::warn!(group = self.member.group, %error, "committing offsets failed and is tried again");
        }
        if committed.is_ok() && is_sure {
            let mut state = self.member.lock();
            for (epoch, position) in positions {
                if let Some(partition) = state.partitions.get_mut(&epoch) {
                    partition.committed(position);
                }
            }
        }
        committed.is_ok()
    }

    fn leave(self, left: Option<oneshot::Sender<()>>) {
        let mut state = self.member.lock();
        state.is_over = true;
        state.turns.clear();
        let partitions = std::mem::take(&mut state.partitions);
        state.unsettled = 0;
        drop(state);
        drop(partitions);
        self.consumer.context().close(&self.consumer, self.revoking.map(|revoking| revoking.partitions));
        if let Some(window) = &self.window {
            window.wake();
            drop(window.pause());
        }
        let Driver { member, consumer, commands, .. } = self;
        // The last owner: it leaves the group.
        drop(consumer);
        member.report(Ok(SourceEvent::Closed));
        if let Some(left) = left {
            // Whoever asked may have gone.
            let _ = left.send(());
        }
        while let Ok(command) = commands.try_recv() {
            if let Command::Leave(left) = command {
                let _ = left.send(());
            }
        }
    }

    fn warn(&self, doing: &str, result: KafkaResult<()>) {
        if let Err(error) = result {
            tracing::warn!(group = self.member.group, %error, "{doing} failed");
        }
    }
}
