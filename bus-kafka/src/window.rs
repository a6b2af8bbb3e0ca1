//! Exactly-once: settlements and their outputs are stored in transactions, one after the other.
//!
//! A transaction holds what has been settled in each partition up to the lowest unsettled offset, with the outputs of exactly
//! those deliveries, and the offsets themselves. What was settled beyond waits for the gap to close, so that neither a crash
//! nor a rebalance can tell an output from the event that caused it. Nothing has to stand still meanwhile: while one
//! transaction is stored, lanes run on and fill the next one. A transaction that was aborted is stored again out of what is
//! still here; no handler runs twice for it. Aborted time and again, it is stored in smaller and smaller parts: it may hold
//! more than can be stored within its time-out.
//!
//! Zombies: offsets are added with the group's metadata (KIP-447), by which the cluster refuses members of an older
//! generation. A member of the current generation could still commit for a partition that has moved, and so the driver waits
//! for the running transaction before it gives a partition away.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jitney_core::message::Message;
use jitney_core::transport::{Epoch, Token};
use jitney_core::{Error, error_chain};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::member::Member;
use crate::member_context::MemberContext;
use crate::transaction::{Failed, Transactions};

/// How long an aborted transaction waits before it is stored again, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// How often it is looked whether a transaction has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Stores the settlements of one member.
pub(crate) struct Window {
    member: Arc<Member>,
    signal: Sender<()>,
    /// Held while a transaction runs.
    running: Mutex<()>,
}

/// The settlements of a partition that are not stored, by offset.
#[derive(Default)]
pub(crate) struct Units {
    waiting: BTreeMap<u64, Unit>,
    /// A message of the partition was not taken: until then the others go on without it.
    held_until: Option<Instant>,
    /// How often in a row one was not taken.
    refusals: u32,
}

struct Unit {
    messages: Arc<[Message]>,
    stored: oneshot::Sender<Result<(), Error>>,
}

/// What one transaction stores.
struct Content {
    /// Where each partition will be.
    positions: Vec<(Epoch, u64)>,
    offsets: TopicPartitionList,
    messages: Vec<(Token, Arc<[Message]>)>,
    /// How many settlements it holds.
    settlements: usize,
}

impl Units {
    /// Up to where a transaction stores that has room for `room` settlements, if there are more in front of `position`; and how
    /// many that are.
    fn part(&self, position: u64, room: usize) -> (u64, usize) {
        let mut before = self.waiting.range(..position);
        let taken = before.by_ref().take(room).count();
        (before.next().map_or(position, |(offset, _)| *offset), taken)
    }

    /// Whether the settlement of the delivery at `offset` waits.
    pub(crate) fn has(&self, offset: u64) -> bool {
        self.waiting.contains_key(&offset)
    }
}

impl Window {
    /// Begins to store the settlements of `member` whenever there are any.
    pub(crate) fn open(
        member: Arc<Member>,
        consumer: Weak<BaseConsumer<MemberContext>>,
        transactions: Transactions,
    ) -> std::io::Result<Arc<Self>> {
        let (signal, signals) = channel();
        let window = Arc::new(Window { member, signal, running: Mutex::new(()) });
        let worker = Worker {
            window: Arc::clone(&window),
            consumer,
            transactions,
            failures: 0,
            at_most: usize::MAX,
            unknown: None,
        };
        std::thread::Builder::new().name("jitney-kafka-tx".to_owned()).spawn(move || worker.run(&signals))?;
        Ok(window)
    }

    /// Stores the settlement of `token` with `messages`. Answers nothing where the token is not in force, or has been
    /// settled; the receiver is told when all is stored or a message was refused, or dropped when the partition is lost.
    pub(crate) fn add(
        &self,
        token: Token,
        messages: Vec<Message>,
    ) -> Option<oneshot::Receiver<Result<(), Error>>> {
        let (stored, answer) = oneshot::channel();
        let mut state = self.member.lock();
        // Settled once, it stays as it was: whoever asks again is told.
        let units = &mut state.holder(token)?.units;
        match units.waiting.get_mut(&token.number) {
            Some(unit) => unit.stored = stored,
            None => drop(units.waiting.insert(token.number, Unit { messages: messages.into(), stored })),
        }
        drop(state);
        self.wake();
        Some(answer)
    }

    /// Waits until everything that can be stored of `epochs` is, for `limit` at most.
    pub(crate) fn flush(&self, epochs: Option<&[Epoch]>, limit: Duration) {
        let env = &self.member.cluster.env;
        let deadline = env.instant() + limit;
        let is_open = || {
            let state = self.member.lock();
            let mut partitions = state.partitions.iter();
            partitions.any(|(epoch, partition)| {
                epochs.is_none_or(|epochs| epochs.contains(epoch)) && partition.to_store().is_some()
            })
        };
        while is_open() && env.instant() < deadline {
            self.wake();
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits for the transaction that runs, if one does, and keeps the next one from beginning.
    pub(crate) fn pause(&self) -> MutexGuard<'_, ()> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the worker look for something to store, or for the end of the membership.
    pub(crate) fn wake(&self) {
        // A worker that has ended has seen the end of the membership.
        let _ = self.signal.send(());
    }

    /// What can be stored now, `at_most` so many settlements.
    fn content(&self, now: Instant, at_most: usize) -> Option<Content> {
        let mut state = self.member.lock();
        let mut settlements = 0;
        let (mut positions, mut messages) = (Vec::new(), Vec::new());
        let mut offsets = TopicPartitionList::new();
        for (epoch, partition) in &mut state.partitions {
            let Some(position) = partition.to_store() else { continue };
            if partition.units.held_until.take_if(|until| *until <= now).is_none()
                && partition.units.held_until.is_some()
            {
                continue;
            }
            if settlements == at_most {
                break;
            }
            let (position, taken) = partition.units.part(position, at_most - settlements);
            let Ok(offset) = i64::try_from(position) else { continue };
            if offsets
                .add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset))
                .is_err()
            {
                continue;
            }
            settlements += taken;
            positions.push((*epoch, position));
            let units = partition.units.waiting.range(..position);
            let with_messages = units.filter(|(_, unit)| !unit.messages.is_empty());
            messages.extend(with_messages.map(|(offset, unit)| {
                (Token { epoch: *epoch, number: *offset }, Arc::clone(&unit.messages))
            }));
        }
        (!positions.is_empty()).then_some(Content { positions, offsets, messages, settlements })
    }

    fn stored(&self, content: &Content) {
        let mut stored = Vec::new();
        let mut is_waited_for = false;
        let mut state = self.member.lock();
        for (epoch, position) in &content.positions {
            let Some(partition) = state.partitions.get_mut(epoch) else { continue };
            partition.committed(*position);
            partition.units.refusals = 0;
            let later = partition.units.waiting.split_off(position);
            let done = std::mem::replace(&mut partition.units.waiting, later);
            for (offset, unit) in done {
                is_waited_for |= state.settle(Token { epoch: *epoch, number: offset });
                stored.push(unit.stored);
            }
        }
        drop(state);
        if is_waited_for {
            self.member.task.wake();
        }
        for stored in stored {
            // Whoever settled it may have gone.
            let _ = stored.send(Ok(()));
        }
    }

    /// A message of the settlement of `token` can never be stored: whoever settled it has to decide anew.
    fn refuse(&self, token: Token, error: Error) {
        let mut state = self.member.lock();
        let unit = state.holder(token).and_then(|partition| partition.units.waiting.remove(&token.number));
        drop(state);
        if let Some(unit) = unit {
            // Whoever settled it may have gone.
            let _ = unit.stored.send(Err(error));
        }
    }

    /// When a partition that is held back may go on.
    fn next_look(&self, now: Instant) -> Next {
        let state = self.member.lock();
        let until = state.partitions.values().filter_map(|partition| partition.units.held_until).min();
        until.map_or(Next::WhenAsked, |until| Next::After(until.saturating_duration_since(now)))
    }

    fn hold(&self, epoch: Epoch) {
        let now = self.member.cluster.env.instant();
        if let Some(partition) = self.member.lock().partitions.get_mut(&epoch) {
            let units = &mut partition.units;
            units.refusals = units.refusals.saturating_add(1);
            units.held_until = Some(now + backoff(units.refusals));
        }
    }
}

/// The thread that stores.
struct Worker {
    window: Arc<Window>,
    consumer: Weak<BaseConsumer<MemberContext>>,
    transactions: Transactions,
    /// In a row.
    failures: u32,
    /// How many settlements a transaction may hold.
    at_most: usize,
    /// A transaction of which it is not known whether it was stored.
    unknown: Option<Content>,
}

impl Worker {
    fn run(mut self, signals: &Receiver<()>) {
        // Places in a transaction that a dead process left open are not given out: nothing could be read, and so be stored.
        if let Err(failed) = self.transactions.prepare() {
            tracing::debug!(error = error_chain(&failed.into_error()), "getting ready is tried again later");
        }
        let mut again: Option<Duration> = None;
        loop {
            match again.map_or_else(
                || signals.recv().map_err(|_| RecvTimeoutError::Disconnected),
                |after| signals.recv_timeout(after),
            ) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while signals.try_recv().is_ok() {}
            if self.is_over() {
                return;
            }
            again = match self.store() {
                Next::WhenAsked => None,
                Next::After(pause) => Some(pause),
                Next::Failed(pause) => {
                    self.rest(pause);
                    Some(Duration::ZERO)
                }
            };
        }
    }

    fn is_over(&self) -> bool {
        self.window.member.lock().is_over
    }

    /// Waits behind a failure, whatever is settled meanwhile.
    fn rest(&self, pause: Duration) {
        let env = &self.window.member.cluster.env;
        let until = env.instant() + pause;
        while env.instant() < until && !self.is_over() {
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Stores what can be stored.
    fn store(&mut self) -> Next {
        let window = Arc::clone(&self.window);
        let _running = window.pause();
        if self.is_over() {
            return Next::WhenAsked;
        }
        // It goes with the membership.
        let Some(consumer) = self.consumer.upgrade() else { return Next::WhenAsked };
        if let Some(content) = self.unknown.take() {
            // Nothing more is stored before this is known: it could be stored twice.
            match self.find_out(&consumer, &content) {
                Outcome::Stored => window.stored(&content),
                Outcome::NotStored => {
                    self.store_less(&content);
                    return self.failed();
                }
                Outcome::NotKnown => {
                    self.unknown = Some(content);
                    return self.failed();
                }
            }
        }
        let now = window.member.cluster.env.instant();
        let Some(content) = window.content(now, self.at_most) else { return window.next_look(now) };
        let Some(group) = consumer.group_metadata() else { return Next::After(BACKOFF.0) };
        let messages: Vec<&Message> =
            content.messages.iter().flat_map(|(_, messages)| messages.iter()).collect();
        let failed = match self.transactions.run(&messages, Some((&content.offsets, &group))) {
            Ok(()) => {
                self.failures = 0;
                window.stored(&content);
                if content.settlements < self.at_most {
                    return window.next_look(now);
                }
                self.at_most = self.at_most.saturating_add(self.at_most / 4 + 1);
                return Next::After(Duration::ZERO);
            }
            Err(failed) => failed,
        };
        let group = &window.member.group;
        match failed {
            Failed::Aborted(error, blame) => {
                tracing::warn!(
                    group,
                    up_to = %content.positions(),
                    settlements = content.settlements,
                    error = error_chain(&error),
                    "a transaction was aborted and is tried again"
                );
                match blame.and_then(|index| content.token_of(index)) {
                    Some(token) if error.is_retryable() => {
                        self.store_less(&content);
                        self.failures = self.failures.saturating_add(1);
                        window.hold(token.epoch);
                        Next::After(Duration::ZERO)
                    }
                    Some(token) => {
                        // Nothing to wait for: the next transaction goes on without it.
                        self.failures = 0;
                        window.refuse(token, error);
                        Next::After(Duration::ZERO)
                    }
                    None => {
                        self.store_less(&content);
                        self.failed()
                    }
                }
            }
            Failed::Unknown(error) => {
                tracing::warn!(
                    group,
                    up_to = %content.positions(),
                    error = error_chain(&error),
                    "what became of a transaction is looked up"
                );
                self.unknown = Some(content);
                Next::After(Duration::ZERO)
            }
        }
    }

    /// `content` was not stored. Once can be chance; behind that, it may be more than fits into a transaction's time.
    fn store_less(&mut self, content: &Content) {
        if self.failures > 0 || self.at_most < usize::MAX {
            self.at_most = (content.settlements / 2).max(1);
        }
    }

    fn failed(&mut self) -> Next {
        self.failures = self.failures.saturating_add(1);
        Next::Failed(backoff(self.failures))
    }

    /// Whether a transaction of unknown outcome was stored: the group's offsets were part of it. They are read when the
    /// cluster has ended the transaction, which the next producer of its name waits for.
    fn find_out(&mut self, consumer: &BaseConsumer<MemberContext>, content: &Content) -> Outcome {
        if let Err(failed) = self.transactions.run(&[], None) {
            tracing::debug!(error = error_chain(&failed.into_error()), "the outcome is not known yet");
            return Outcome::NotKnown;
        }
        let limit = self.window.member.cluster.config.connect_timeout;
        let Ok(committed) = consumer.committed_offsets(content.offsets.clone(), limit) else {
            return Outcome::NotKnown;
        };
        let is_stored = |wanted: &TopicPartitionListElem<'_>| {
            let found = committed.find_partition(wanted.topic(), wanted.partition())?;
            found.error().ok()?;
            match (found.offset(), wanted.offset()) {
                (Offset::Offset(found), Offset::Offset(wanted)) => Some(found >= wanted),
                _ => Some(false),
            }
        };
        let found: Option<Vec<bool>> = content.offsets.elements().iter().map(is_stored).collect();
        match found {
            None => Outcome::NotKnown,
            Some(found) if found.iter().all(|stored| *stored) => Outcome::Stored,
            Some(_) => Outcome::NotStored,
        }
    }
}

/// How long to wait behind so many failures in a row.
fn backoff(failures: u32) -> Duration {
    BACKOFF.0.saturating_mul(1 << failures.min(10)).min(BACKOFF.1)
}

/// When the worker is to look again.
enum Next {
    /// When something is settled.
    WhenAsked,
    /// Then, or when something is settled.
    After(Duration),
    /// Then, and not before.
    Failed(Duration),
}

/// What became of a transaction.
enum Outcome {
    Stored,
    NotStored,
    NotKnown,
}

impl Content {
    /// Where each partition is to be, for a reader of logs: `Order-events/3@127, …`.
    fn positions(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            for (index, element) in self.offsets.elements().iter().enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                write!(f, "{separator}{}/{}", element.topic(), element.partition())?;
                if let Offset::Offset(offset) = element.offset() {
                    write!(f, "@{offset}")?;
                }
            }
            Ok(())
        })
    }

    /// The settlement that the message at `index` belongs to.
    fn token_of(&self, mut index: usize) -> Option<Token> {
        for (token, messages) in &self.messages {
            match index.checked_sub(messages.len()) {
                Some(rest) => index = rest,
                None => return Some(*token),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(offsets: &[u64]) -> Units {
        let unit = || Unit { messages: Arc::default(), stored: oneshot::channel().0 };
        Units {
            waiting: offsets.iter().map(|offset| (*offset, unit())).collect(),
            held_until: None,
            refusals: 0,
        }
    }

    #[test]
    fn a_part_ends_in_front_of_the_first_settlement_that_it_has_no_room_for() {
        let units = units(&[3, 4, 7, 9]);
        assert_eq!(units.part(10, 2), (7, 2));
        assert_eq!(units.part(10, 4), (10, 4));
        assert_eq!(units.part(8, usize::MAX), (8, 3));
        assert_eq!(units.part(3, 1), (3, 0));
    }
}
