//! A group's place in one partition of a log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jitney_core::message::Message;
use jitney_core::transport::{Delivery, Epoch, OffsetTracker, Position, Token};
use tokio::time::Instant;

use crate::faults::{FaultKind, hash};
use crate::group::Context;
use crate::member::Budget;
use crate::queue::{Entry, InFlight, Queue};
use crate::turns::{Turn, Turns};

/// Tokens of deliveries that do not come from the log have this bit; all others are offsets.
pub(crate) const COPY: u64 = 1 << 63;

/// A group's place in one partition.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) topic: usize,
    pub(crate) partition: u32,
    /// The id of the member that has the partition.
    pub(crate) owner: Option<u64>,
    /// The assignment that is in force.
    pub(crate) epoch: Epoch,
    /// Its owner has been told to give it up by then.
    pub(crate) revoked_at: Option<Instant>,
    pub(crate) tracker: OffsetTracker,
    /// What is delivered again beside the log, as from a retry topic.
    pub(crate) retries: Queue,
    /// Such deliveries that are with the owner.
    pub(crate) copies: BTreeMap<u64, InFlight>,
    /// Settlements that wait for what is earlier.
    pub(crate) turns: Turns,
    /// The next offset to be delivered.
    next: u64,
    /// The numbers of tokens for copies.
    numbers: u64,
    /// A fault holds it back until then.
    stalled_until: Option<Instant>,
    /// How many faults unsettled offsets have met.
    faults: BTreeMap<u64, u32>,
}

impl Cursor {
    pub(crate) fn new(topic: usize, partition: u32, place: u64, epoch: Epoch) -> Self {
        Cursor {
            topic,
            partition,
            owner: None,
            epoch,
            revoked_at: None,
            tracker: OffsetTracker::new(place),
            retries: Queue::default(),
            copies: BTreeMap::new(),
            turns: Turns::default(),
            next: place,
            numbers: 0,
            stalled_until: None,
            faults: BTreeMap::new(),
        }
    }

    /// Whether the delivery under `number`, which is with the owner, comes next where all are settled in their order.
    pub(crate) fn turn(&self, number: u64) -> Turn {
        match number & COPY == 0 && number != self.tracker.position() {
            true => Turn::Later,
            false => Turn::Now,
        }
    }

    /// Whether the delivery under `number` comes beside one of the log, which alone counts.
    pub(crate) fn is_twin(&self, number: u64) -> bool {
        self.copies.get(&number).is_some_and(|copy| copy.entry.twin)
    }

    /// How many deliveries are with the owner.
    pub(crate) fn in_flight(&self) -> usize {
        self.tracker.unsettled() + self.copies.len()
    }

    /// The offset that the next message in the partition gets.
    pub(crate) fn end(&self, cx: &Context<'_>) -> u64 {
        cx.topics.get(self.topic).partitions[self.partition as usize].end()
    }

    /// When something is due here.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.revoked_at.into_iter().chain(self.stalled_until).chain(self.retries.due()).min()
    }

    /// Makes ready what is due at `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.retries.advance(now);
        self.stalled_until = self.stalled_until.filter(|until| *until > now);
    }

    /// Goes on from `place`; nothing of the log is in flight then.
    pub(crate) fn reset(&mut self, place: u64) {
        self.tracker.reset(place);
        self.next = place;
    }

    /// Takes what may be delivered, retries first. Answers whether there was more.
    pub(crate) fn take(
        &mut self,
        budget: &mut Budget,
        into: &mut Vec<Delivery>,
        cx: &mut Context<'_>,
    ) -> bool {
        let end = self.end(cx);
        let is_empty = self.next == end && self.retries.ready() == 0;
        if is_empty || self.revoked_at.is_some() {
            return false;
        }
        let ahead = usize::try_from(end - self.next).unwrap_or(usize::MAX);
        into.reserve(budget.events.min(ahead.saturating_add(self.retries.ready())));
        loop {
            if budget.is_spent() {
                return self.next < end || self.retries.ready() > 0;
            } else if let Some(entry) = self.retries.pop() {
                budget.spend(entry.message.size());
                into.push(self.deliver_copy(entry));
            } else if self.next == end || self.is_held_back(cx) {
                return false;
            } else if self.tracker.room() == 0 {
                return true;
            } else {
                self.take_next(budget, into, cx);
            }
        }
    }

    /// Takes the next message of the log.
    fn take_next(&mut self, budget: &mut Budget, into: &mut Vec<Delivery>, cx: &mut Context<'_>) {
        let offset = self.next;
        self.next += 1;
        let log = &cx.topics.get(self.topic).partitions[self.partition as usize];
        let Some(record) = log.get(offset) else { return };
        let (message, size) = (record.message.clone(), record.size);
        if cx.dice.on_deliveries() && self.strikes(FaultKind::Duplicate, offset, cx) {
            cx.topics.owe();
            self.retries.push(Entry { twin: true, ..self.entry(offset, message.clone()) });
        }
        budget.spend(size);
        self.tracker.track(offset);
        into.push(self.delivery(message, offset, 1, offset));
    }

    fn deliver_copy(&mut self, mut entry: Entry) -> Delivery {
        entry.attempts += 1;
        let number = COPY | self.numbers;
        self.numbers += 1;
        let delivery = self.delivery(entry.message.clone(), entry.offset, entry.attempts, number);
        self.copies.insert(number, InFlight { entry, member: self.owner, deadline: None });
        delivery
    }

    fn delivery(&self, message: Arc<Message>, offset: u64, attempt: u32, number: u64) -> Delivery {
        let token = Token { epoch: self.epoch, number };
        Delivery::new(message, token).at(self.partition, Position(offset)).attempt(attempt)
    }

    fn entry(&self, offset: u64, message: Arc<Message>) -> Entry {
        Entry { attempts: 1, ..Entry::new(self.topic, self.partition, offset, message) }
    }

    /// A copy of the message at `offset`, which is kept beside the log.
    pub(crate) fn keep_copy(&self, offset: u64, cx: &mut Context<'_>) -> Option<Entry> {
        let log = &cx.topics.get(self.topic).partitions[self.partition as usize];
        let message = log.get(offset)?.message.clone();
        cx.topics.keep_copy(self.topic, message.size());
        Some(self.entry(offset, message))
    }

    /// A copy is done.
    pub(crate) fn drop_copy(&self, entry: &Entry, cx: &mut Context<'_>) {
        if entry.twin {
            cx.topics.forgive();
        } else {
            cx.topics.drop_copy(self.topic, entry.message.size());
        }
    }

    /// Gives free what has been committed since `committed`.
    pub(crate) fn release(&mut self, committed: u64, cx: &mut Context<'_>) {
        let position = self.tracker.position();
        for offset in committed..position {
            cx.topics.release(self.topic, self.partition, offset);
        }
        self.turns.reached(position, cx.wakes);
        while let Some(met) = self.faults.first_entry()
            && *met.key() < position
        {
            met.remove();
        }
    }

    /// Takes back what is with the owner: the log from the lowest unsettled offset on, and copies in their order.
    pub(crate) fn take_back(&mut self, cx: &mut Context<'_>) {
        let copies: VecDeque<_> = std::mem::take(&mut self.copies).into_values().collect();
        for InFlight { entry, .. } in copies.into_iter().rev() {
            if entry.twin {
                cx.topics.forgive();
            } else {
                self.retries.push_first(entry);
            }
        }
        self.turns.end(cx.wakes);
        self.reset(self.tracker.position());
        self.revoked_at = None;
    }

    /// Whether a fault strikes the message at `offset`.
    pub(crate) fn strikes(&mut self, kind: FaultKind, offset: u64, cx: &Context<'_>) -> bool {
        let identity = self.identity(offset, cx);
        cx.dice.strikes(kind, identity, self.faults.entry(offset).or_default())
    }

    /// Whether a fault holds the next message of the log back, and all behind it.
    fn is_held_back(&mut self, cx: &Context<'_>) -> bool {
        if self.stalled_until.is_none() && cx.dice.on_deliveries() {
            let offset = self.next;
            if self.strikes(FaultKind::Delay, offset, cx) {
                let met = self.faults.get(&offset).copied().unwrap_or_default();
                self.stalled_until = Some(cx.env.instant() + cx.dice.delay(self.identity(offset, cx), met));
            }
        }
        self.stalled_until.is_some()
    }

    fn identity(&self, offset: u64, cx: &Context<'_>) -> u64 {
        hash(&[cx.identity, cx.topics.get(self.topic).identity, u64::from(self.partition), offset])
    }
}
