//! How a group reads a queue of its own, by EventBridge's (with SQS) and RabbitMQ's rules.

mod redelivery;

use std::collections::BTreeMap;
use std::sync::Arc;

use jitney_core::message::Message;
use jitney_core::transport::{Delivery, Demand, Settle, Start, Token};
use tokio::time::Instant;

use crate::Semantics;
use crate::faults::{FaultKind, hash};
use crate::group::Context;
use crate::member::{Member, Members};
use crate::queue::{Entry, InFlight, Queue, earliest};

/// Without order, the next delivery is any one of the first so many.
const WINDOW: usize = 32;

/// The queue of one group, and what its members hold.
#[derive(Debug)]
pub(crate) struct QueueView {
    topics: Vec<usize>,
    queue: Queue,
    in_flight: BTreeMap<u64, InFlight>,
    /// The numbers of tokens.
    numbers: u64,
    /// What disorder follows from, where there is no order.
    disorder: Option<fastrand::Rng>,
    /// Before this time nothing is due.
    due: Option<Instant>,
    /// The member that joined first reads, the others stand by.
    has_one_reader: bool,
}

impl QueueView {
    pub(crate) fn new(semantics: Semantics, seed: u64) -> Self {
        QueueView {
            topics: Vec::new(),
            queue: Queue::default(),
            in_flight: BTreeMap::new(),
            numbers: 0,
            disorder: (semantics == Semantics::EventBridge).then(|| fastrand::Rng::with_seed(seed)),
            due: None,
            has_one_reader: semantics == Semantics::RabbitMq,
        }
    }

    /// Whether `member` may read now.
    pub(crate) fn is_reader(&self, member: u64, members: &Members) -> bool {
        !self.has_one_reader || members.iter().next().is_some_and(|first| first.id == member)
    }

    /// Begins to read `topic`: from the next message on, or from the archive's first one after a time.
    pub(crate) fn add_topic(&mut self, topic: usize, start: &Start, cx: &mut Context<'_>) {
        self.topics.push(topic);
        if let Start::Time(_) = start {
            self.replay(topic, start, cx);
        }
    }

    fn replay(&mut self, topic: usize, start: &Start, cx: &mut Context<'_>) {
        let archive = &cx.topics.get(topic).partitions[0];
        let Some(place) = cx.topics.get(topic).place(0, start) else { return };
        for offset in place..archive.end() {
            let log = &cx.topics.get(topic).partitions[0];
            if let Some(message) = log.get(offset).map(|record| record.message.clone()) {
                cx.topics.retain(topic, 0, offset);
                self.queue.push(Entry::new(topic, 0, offset, message));
            }
        }
    }

    /// A message was appended to a topic.
    pub(crate) fn appended(
        &mut self,
        (topic, partition, offset): (usize, u32, u64),
        message: &Arc<Message>,
        members: &mut Members,
        cx: &mut Context<'_>,
    ) {
        self.queue.push(Entry::new(topic, partition, offset, message.clone()));
        members.wake_for_deliveries(cx.wakes);
    }

    /// What `member` may have now, and whether there was more that it could not take.
    pub(crate) fn take(
        &mut self,
        member: &mut Member,
        demand: Demand,
        cx: &mut Context<'_>,
    ) -> (Vec<Delivery>, bool) {
        let at_once = cx.capabilities.max_batch.unwrap_or(usize::MAX);
        let mut budget = member.budget(demand, at_once);
        let mut deliveries = Vec::with_capacity(budget.events.min(self.queue.ready()));
        while !budget.is_spent()
            && let Some(mut entry) = self.next()
        {
            if cx.dice.on_deliveries() && !entry.twin {
                match self.meet_faults(entry, cx) {
                    Some(spared) => entry = spared,
                    None => continue,
                }
            }
            budget.spend(entry.message.size());
            deliveries.push(self.deliver(member, entry));
        }
        if !deliveries.is_empty() {
            self.limit(deliveries.len(), cx);
        }
        member.holds(deliveries.len());
        (deliveries, self.queue.ready() > 0)
    }

    fn next(&mut self) -> Option<Entry> {
        match &mut self.disorder {
            Some(random) if self.queue.ready() > 1 => {
                let index = random.usize(..self.queue.ready().min(WINDOW));
                self.queue.pop_at(index)
            }
            _ => self.queue.pop(),
        }
    }

    /// Lets faults strike an entry that is about to be delivered, which may hold it back.
    fn meet_faults(&mut self, mut entry: Entry, cx: &mut Context<'_>) -> Option<Entry> {
        let identity = identity(cx, &entry);
        if cx.dice.strikes(FaultKind::Delay, identity, &mut entry.faults) {
            let until = cx.env.instant() + cx.dice.delay(identity, entry.faults);
            self.delay(entry, until);
            return None;
        }
        if self.disorder.is_some() && cx.dice.strikes(FaultKind::Reorder, identity, &mut entry.faults) {
            self.queue.push(entry);
            return None;
        }
        if cx.dice.strikes(FaultKind::Duplicate, identity, &mut entry.faults) {
            cx.topics.owe();
            self.queue.push_first(Entry { twin: true, attempts: entry.attempts + 1, ..entry.clone() });
        }
        Some(entry)
    }

    fn deliver(&mut self, member: &Member, mut entry: Entry) -> Delivery {
        entry.attempts += 1;
        let token = Token { epoch: member.epoch, number: self.numbers };
        self.numbers += 1;
        let (message, attempt) = (entry.message.clone(), entry.attempts);
        self.in_flight.insert(token.number, InFlight { entry, member: Some(member.id), deadline: None });
        Delivery::new(message, token).attempt(attempt)
    }

    /// Limits the time within which the newest `deliveries` are to be settled.
    fn limit(&mut self, deliveries: usize, cx: &Context<'_>) {
        let Some(limit) = cx.capabilities.settle_within else { return };
        let deadline = Some(cx.env.instant() + limit);
        self.due = earliest(self.due, deadline);
        for held in self.in_flight.values_mut().rev().take(deliveries) {
            held.deadline = deadline;
        }
    }

    /// Starts that time anew for `tokens`.
    pub(crate) fn keep_alive(&mut self, member: &Member, tokens: &[Token], cx: &Context<'_>) {
        let deadline = cx.capabilities.settle_within.map(|limit| cx.env.instant() + limit);
        for token in tokens.iter().filter(|token| token.epoch == member.epoch) {
            if let Some(held) = self.in_flight.get_mut(&token.number) {
                held.deadline = deadline;
            }
        }
    }

    /// Whether `token` names a delivery that `member` holds.
    pub(crate) fn holds(&self, member: &Member, token: Token) -> bool {
        token.epoch == member.epoch && self.in_flight.contains_key(&token.number)
    }

    /// Settles one delivery; a token that is not in force is ignored.
    pub(crate) fn settle(
        &mut self,
        member: &mut Member,
        token: Token,
        settle: &Settle,
        cx: &mut Context<'_>,
    ) {
        if !self.holds(member, token) {
            return;
        }
        let Some(InFlight { entry, .. }) = self.in_flight.remove(&token.number) else { return };
        member.lets_go(1);
        match settle {
            Settle::Retry { after } if !entry.twin => {
                if after.is_zero() && self.disorder.is_none() {
                    self.queue.push_first(entry);
                } else {
                    self.delay(entry, cx.env.instant() + *after);
                }
                member.wake(cx.wakes);
            }
            Settle::Retry { .. } | Settle::Ack | Settle::DeadLetter(_) => done(&entry, cx),
        }
        member.wake_if_stuck(cx.wakes);
        if self.in_flight.is_empty() && self.queue.due().is_none() {
            self.due = None;
        }
    }

    fn delay(&mut self, entry: Entry, until: Instant) {
        self.queue.delay(entry, until);
        self.due = earliest(self.due, Some(until));
    }

    /// Before this time nothing is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Per topic, how many messages are not settled.
    pub(crate) fn lag(&self) -> Vec<(usize, u32, u64)> {
        let mut lag: Vec<_> = self.topics.iter().map(|topic| (*topic, 0, 0)).collect();
        let held = self.in_flight.values().map(|held| &held.entry);
        for entry in self.queue.iter().chain(held).filter(|entry| !entry.twin) {
            if let Some(topic) = lag.iter_mut().find(|(topic, ..)| *topic == entry.topic) {
                topic.2 += 1;
            }
        }
        lag
    }

    /// Replays the archive from `start` beside what is there, or empties the queue (`Latest`).
    pub(crate) fn seek(&mut self, start: &Start, members: &mut Members, cx: &mut Context<'_>) {
        if *start == Start::Latest {
            self.queue.clear().for_each(|entry| done(&entry, cx));
        } else {
            for topic in self.topics.clone() {
                self.replay(topic, start, cx);
            }
        }
        members.wake_for_deliveries(cx.wakes);
    }

    /// Stops to read: nothing is owed any more.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>) {
        let held = std::mem::take(&mut self.in_flight).into_values().map(|held| held.entry);
        held.chain(self.queue.clear()).for_each(|entry| done(&entry, cx));
    }
}

/// Nothing more will become of `entry`.
fn done(entry: &Entry, cx: &mut Context<'_>) {
    if entry.twin {
        cx.topics.forgive();
    } else {
        cx.topics.release(entry.topic, entry.partition, entry.offset);
    }
}

/// Identifies `entry` where faults are decided.
fn identity(cx: &Context<'_>, entry: &Entry) -> u64 {
    hash(&[cx.identity, cx.topics.get(entry.topic).identity, u64::from(entry.partition), entry.offset])
}
