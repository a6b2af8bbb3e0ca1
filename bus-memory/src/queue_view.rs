//! How a group reads a queue of its own, by EventBridge's (with SQS) and RabbitMQ's rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use jitney_core::message::Message;
use jitney_core::transport::{Delivery, Demand, Settle, SourceEvent, Start, Token};
use tokio::time::Instant;

use crate::Semantics;
use crate::faults::{FaultKind, hash};
use crate::group::Context;
use crate::log_view::earliest;
use crate::member::{Member, Members};
use crate::queue::{Entry, InFlight, Queue};

/// Without order, the next delivery is any one of the first so many.
const WINDOW: usize = 32;

/// The queue of one group, and what its members hold.
#[derive(Debug)]
pub(crate) struct QueueView {
    topics: Vec<usize>,
    queue: Queue,
    in_flight: BTreeMap<u64, InFlight>,
    deliveries: u64,
    /// What disorder follows from, where there is no order.
    disorder: Option<fastrand::Rng>,
    /// Before this time nothing is due.
    due: Option<Instant>,
}

impl QueueView {
    pub(crate) fn new(semantics: Semantics, seed: u64) -> Self {
        QueueView {
            topics: Vec::new(),
            queue: Queue::default(),
            in_flight: BTreeMap::new(),
            deliveries: 0,
            disorder: (semantics == Semantics::EventBridge).then(|| fastrand::Rng::with_seed(seed)),
            due: None,
        }
    }

    /// Begins to read `topic`: from the next message on, or from the archive's first one after a time.
    pub(crate) fn add_topic(&mut self, topic: usize, start: Start, cx: &mut Context<'_>) -> usize {
        self.topics.push(topic);
        if let Start::Time(_) = start {
            self.replay(topic, start, cx);
        }
        0
    }

    fn replay(&mut self, topic: usize, start: Start, cx: &mut Context<'_>) {
        let end = cx.topics.get(topic).partitions[0].end();
        for offset in cx.topics.get(topic).place(0, start)..end {
            cx.topics.retain(topic, 0, offset);
            if let Some(message) = cx.topics.message(topic, 0, offset).cloned() {
                self.queue.push(Entry { topic, partition: 0, offset, message, attempts: 0, faults: 0 });
            }
        }
    }

    /// A message was appended to a topic.
    pub(crate) fn appended(
        &mut self,
        topic: usize,
        offset: u64,
        message: &Arc<Message>,
        members: &mut Members,
        cx: &mut Context<'_>,
    ) {
        let message = message.clone();
        self.queue.push(Entry { topic, partition: 0, offset, message, attempts: 0, faults: 0 });
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
        let deadline = cx.capabilities.settle_within.map(|limit| cx.env.instant() + limit);
        while !budget.is_spent()
            && let Some(mut entry) = self.next()
        {
            let mut twin = false;
            if cx.dice.on_deliveries() {
                let identity = identity(cx, &entry);
                if cx.dice.strikes(FaultKind::Delay, identity, &mut entry.faults) {
                    let until = cx.env.instant() + cx.dice.delay(identity, entry.faults);
                    self.queue.delay(entry, until);
                    self.due = earliest(self.due, Some(until));
                    continue;
                }
                if self.disorder.is_some() && cx.dice.strikes(FaultKind::Reorder, identity, &mut entry.faults)
                {
                    self.queue.push(entry);
                    continue;
                }
                twin = cx.dice.strikes(FaultKind::Duplicate, identity, &mut entry.faults);
            }
            budget.spend(entry.message.size());
            entry.attempts += 1;
            if twin && !budget.is_spent() {
                budget.spend(entry.message.size());
                cx.topics.owe();
                deliveries.push(self.deliver(member, entry.clone(), twin, deadline));
            }
            deliveries.push(self.deliver(member, entry, false, deadline));
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

    fn deliver(&mut self, member: &Member, entry: Entry, twin: bool, deadline: Option<Instant>) -> Delivery {
        let number = self.deliveries;
        self.deliveries += 1;
        let delivery = Delivery {
            message: entry.message.clone(),
            partition: 0,
            position: None,
            attempt: entry.attempts,
            epoch: member.epoch,
            token: Token { epoch: member.epoch, number },
        };
        self.due = earliest(self.due, deadline);
        self.in_flight.insert(number, InFlight { entry, member: member.id, twin, deadline });
        delivery
    }

    /// Whether `token` names a delivery that `member` holds.
    pub(crate) fn holds(&self, member: &Member, token: Token) -> bool {
        let held = self.in_flight.get(&token.number);
        token.epoch == member.epoch && held.is_some_and(|in_flight| in_flight.member == member.id)
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
        let Some(InFlight { entry, twin, .. }) = self.in_flight.remove(&token.number) else { return };
        match settle {
            _ if twin => cx.topics.forgive(),
            Settle::Ack | Settle::DeadLetter(_) => {
                cx.topics.release(entry.topic, entry.partition, entry.offset)
            }
            Settle::Retry { after } if after.is_zero() && self.disorder.is_none() => {
                self.queue.push_first(entry)
            }
            Settle::Retry { after } => self.delay(entry, cx.env.instant() + *after),
        }
        member.lets_go(1);
        if matches!(settle, Settle::Retry { .. }) {
            member.wake(cx.wakes);
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

    /// Starts the time anew within which `tokens` are to be settled.
    pub(crate) fn keep_alive(&mut self, member: &Member, tokens: &[Token], cx: &Context<'_>) {
        let deadline = cx.capabilities.settle_within.map(|limit| cx.env.instant() + limit);
        for token in tokens {
            if self.holds(member, *token)
                && let Some(in_flight) = self.in_flight.get_mut(&token.number)
            {
                in_flight.deadline = deadline;
            }
        }
    }

    /// Whether the broker forgets that `token` was settled. A queue with time-outs delivers it again after its own;
    /// otherwise the connection broke, and everything on it comes again.
    pub(crate) fn ack_is_lost(
        &mut self,
        member: u64,
        token: Token,
        members: &mut Members,
        cx: &mut Context<'_>,
    ) -> bool {
        if !self.struck(FaultKind::DropAck, token, cx) {
            return false;
        }
        match self.in_flight.get(&token.number).and_then(|in_flight| in_flight.deadline) {
            Some(deadline) => {
                let Some(in_flight) = self.in_flight.remove(&token.number) else { return false };
                self.queue.delay(in_flight.entry, deadline);
                if let Some(member) = members.get(member) {
                    member.lets_go(1);
                    member.wake(cx.wakes);
                }
            }
            None => self.lose(member, members, cx),
        }
        true
    }

    /// Whether a member dies that is about to settle `token`: everything that it holds is lost to it.
    pub(crate) fn member_crashes(
        &mut self,
        member: u64,
        token: Token,
        members: &mut Members,
        cx: &mut Context<'_>,
    ) -> bool {
        let strikes = self.struck(FaultKind::Crash, token, cx);
        if strikes {
            self.lose(member, members, cx);
        }
        strikes
    }

    fn struck(&mut self, kind: FaultKind, token: Token, cx: &Context<'_>) -> bool {
        let Some(in_flight) = self.in_flight.get_mut(&token.number).filter(|in_flight| !in_flight.twin)
        else {
            return false;
        };
        let identity = identity(cx, &in_flight.entry);
        cx.dice.strikes(kind, identity, &mut in_flight.entry.faults)
    }

    /// Takes everything from a member, who is told so and goes on under a new epoch.
    fn lose(&mut self, member: u64, members: &mut Members, cx: &mut Context<'_>) {
        let taken = self.take_back(member, cx);
        let epoch = cx.new_epoch();
        if let Some(member) = members.get(member) {
            member.lets_go(taken);
            let lost = std::mem::replace(&mut member.epoch, epoch);
            member.tell(SourceEvent::Lost { epoch: lost }, cx.wakes);
        }
        members.wake_for_deliveries(cx.wakes);
    }

    /// Puts what `member` holds back to the front, in its order. Answers how much it was.
    fn take_back(&mut self, member: u64, cx: &mut Context<'_>) -> usize {
        let held: Vec<_> = self
            .in_flight
            .extract_if(.., |_, in_flight| in_flight.member == member)
            .map(|(_, held)| held)
            .collect();
        let taken = held.len();
        for InFlight { entry, twin, .. } in held.into_iter().rev() {
            if twin {
                cx.topics.forgive();
            } else {
                self.queue.push_first(entry);
            }
        }
        taken
    }

    /// A member has gone: what it held can be delivered again.
    pub(crate) fn left(&mut self, member: u64, members: &mut Members, cx: &mut Context<'_>) {
        self.take_back(member, cx);
        members.wake_for_deliveries(cx.wakes);
    }

    /// Before this time nothing is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Instant, members: &mut Members, cx: &mut Context<'_>) {
        let expired = |_: &u64, in_flight: &mut InFlight| in_flight.deadline.is_some_and(|due| due <= now);
        let expired: Vec<_> = self.in_flight.extract_if(.., expired).map(|(_, expired)| expired).collect();
        for InFlight { entry, member, twin, .. } in expired {
            if let Some(member) = members.get(member) {
                member.lets_go(1);
            }
            if twin {
                cx.topics.forgive();
            } else {
                self.queue.push(entry);
            }
        }
        self.queue.advance(now);
        let deadlines = self.in_flight.values().filter_map(|in_flight| in_flight.deadline);
        self.due = deadlines.chain(self.queue.due()).min();
        members.wake_for_deliveries(cx.wakes);
    }

    /// Per topic, how many messages are not settled.
    pub(crate) fn lag(&self) -> Vec<(usize, u32, u64)> {
        let in_flight = self.in_flight.values().filter(|in_flight| !in_flight.twin).map(|held| &held.entry);
        let mut lag: Vec<_> = self.topics.iter().map(|topic| (*topic, 0, 0)).collect();
        for entry in self.queue.iter().chain(in_flight) {
            if let Some(topic) = lag.iter_mut().find(|(topic, ..)| *topic == entry.topic) {
                topic.2 += 1;
            }
        }
        lag
    }

    /// Replays the archive from `start` beside what is there, or empties the queue (`Latest`).
    pub(crate) fn seek(&mut self, start: Start, members: &mut Members, cx: &mut Context<'_>) {
        if start == Start::Latest {
            self.clear(cx);
        } else {
            for topic in self.topics.clone() {
                self.replay(topic, start, cx);
            }
        }
        members.wake_for_deliveries(cx.wakes);
    }

    fn clear(&mut self, cx: &mut Context<'_>) {
        for entry in self.queue.clear() {
            cx.topics.release(entry.topic, entry.partition, entry.offset);
        }
    }

    /// Stops to read: nothing is owed any more.
    pub(crate) fn end(&mut self, members: &mut Members, cx: &mut Context<'_>) {
        for member in members.iter() {
            self.take_back(member.id, cx);
        }
        self.clear(cx);
    }
}

fn identity(cx: &Context<'_>, entry: &Entry) -> u64 {
    hash(&[cx.identity, cx.topics.get(entry.topic).identity, entry.offset])
}
