//! How a group reads logs, by Kafka's rules: one member per partition, committed up to the lowest unsettled offset.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::message::Message;
use jitney_core::transport::{
    Delivery, Demand, Epoch, OffsetTracker, Position, Settle, SourceEvent, Start, Token,
};
use tokio::time::Instant;

use crate::assignment::{Held, assign};
use crate::faults::{FaultKind, hash};
use crate::group::Context;
use crate::member::{Budget, Member, Members};
use crate::queue::{Entry, InFlight, Queue};

/// Tokens of deliveries that do not come from the log have this bit; all others are offsets.
const COPY: u64 = 1 << 63;

/// A group's places in the partitions of its topics.
#[derive(Debug, Default)]
pub(crate) struct LogView {
    cursors: Vec<Cursor>,
    /// The cursor of each assignment that is in force.
    epochs: BTreeMap<Epoch, usize>,
    copies: u64,
    /// Before this time nothing is due.
    due: Option<Instant>,
}

/// A group's place in one partition.
#[derive(Debug)]
struct Cursor {
    topic: usize,
    partition: u32,
    owner: Option<u64>,
    epoch: Epoch,
    /// Its owner has been told to give it up by then.
    revoked_at: Option<Instant>,
    /// The next offset to be delivered.
    next: u64,
    tracker: OffsetTracker,
    /// What is delivered again beside the log, as from a retry topic.
    retries: Queue,
    /// Retries, and second deliveries, that are with the owner.
    in_flight: BTreeMap<u64, InFlight>,
    /// A fault holds it back until then.
    stalled_until: Option<Instant>,
    /// How many faults unsettled offsets have met.
    faults: BTreeMap<u64, u32>,
}

impl Cursor {
    fn in_flight(&self) -> usize {
        self.tracker.unsettled() + self.in_flight.len()
    }

    fn identity(&self, cx: &Context<'_>, offset: u64) -> u64 {
        hash(&[cx.identity, cx.topics.get(self.topic).identity, u64::from(self.partition), offset])
    }

    /// When something is due here.
    fn due(&self) -> Option<Instant> {
        self.revoked_at.into_iter().chain(self.stalled_until).chain(self.retries.due()).min()
    }
}

impl LogView {
    /// Begins to read `topic`. Answers what its first partition is known by.
    pub(crate) fn add_topic(&mut self, topic: usize, start: Start, cx: &mut Context<'_>) -> usize {
        let first = self.cursors.len();
        let partitions = cx.topics.get(topic).partitions.len();
        for partition in (0..).take(partitions) {
            let place = cx.topics.get(topic).place(partition, start);
            let end = cx.topics.get(topic).partitions[partition as usize].end();
            for offset in place..end {
                cx.topics.retain(topic, partition, offset);
            }
            let epoch = cx.new_epoch();
            self.epochs.insert(epoch, self.cursors.len());
            self.cursors.push(Cursor {
                topic,
                partition,
                owner: None,
                epoch,
                revoked_at: None,
                next: place,
                tracker: OffsetTracker::new(place),
                retries: Queue::default(),
                in_flight: BTreeMap::new(),
                stalled_until: None,
                faults: BTreeMap::new(),
            });
        }
        first
    }

    /// A message was appended to the partition of `cursor`.
    pub(crate) fn appended(&mut self, cursor: usize, members: &mut Members, cx: &mut Context<'_>) {
        let owner = self.cursors[cursor].owner;
        if let Some(member) = owner.and_then(|owner| members.get(owner)) {
            member.wake_for_deliveries(cx.wakes);
        }
    }

    /// What `member` may have now, and whether there was more that it could not take.
    pub(crate) fn take(
        &mut self,
        member: &mut Member,
        demand: Demand,
        cx: &mut Context<'_>,
    ) -> (Vec<Delivery>, bool) {
        let mut budget = member.budget(demand, usize::MAX);
        let mut deliveries = Vec::new();
        let mut more = false;
        for step in 0..member.assigned.len() {
            let index = member.assigned[(member.turn + step) % member.assigned.len()];
            more |= self.take_from(index, member.id, &mut budget, &mut deliveries, cx);
        }
        member.turn = member.turn.wrapping_add(1);
        member.holds(deliveries.len());
        (deliveries, more)
    }

    /// Takes from one partition. Answers whether there was more.
    fn take_from(
        &mut self,
        index: usize,
        member: u64,
        budget: &mut Budget,
        deliveries: &mut Vec<Delivery>,
        cx: &mut Context<'_>,
    ) -> bool {
        let cursor = &mut self.cursors[index];
        if cursor.revoked_at.is_some() {
            return false;
        }
        while !budget.is_spent()
            && let Some(mut entry) = cursor.retries.pop()
        {
            budget.spend(entry.message.size());
            entry.attempts += 1;
            let number = COPY | self.copies;
            self.copies += 1;
            deliveries.push(cursor.delivery(entry.message.clone(), entry.offset, entry.attempts, number));
            cursor.in_flight.insert(number, InFlight { entry, member, twin: false, deadline: None });
        }
        let end = cx.topics.get(cursor.topic).partitions[cursor.partition as usize].end();
        if cursor.stalled_until.is_some() {
            return false;
        }
        let most = budget
            .events
            .min(cursor.tracker.room())
            .min(usize::try_from(end - cursor.next).unwrap_or(usize::MAX));
        deliveries.reserve(most);
        while cursor.next < end && !budget.is_spent() && cursor.tracker.room() > 0 {
            let offset = cursor.next;
            let Some(record) = cx.topics.get(cursor.topic).partitions[cursor.partition as usize].get(offset)
            else {
                cursor.next += 1;
                continue;
            };
            let (message, size) = (record.message.clone(), record.size);
            if cx.dice.on_deliveries() && cursor.is_delayed(offset, cx) {
                self.due = earliest(self.due, cursor.stalled_until);
                return false;
            }
            let twin = cx.dice.on_deliveries() && cursor.strikes(FaultKind::Duplicate, offset, cx);
            budget.spend(size);
            cursor.tracker.track(offset);
            cursor.next += 1;
            if twin {
                let number = COPY | self.copies;
                self.copies += 1;
                cx.topics.owe();
                deliveries.push(cursor.delivery(message.clone(), offset, 1, number));
                let entry = cursor.entry(offset, message.clone());
                cursor.in_flight.insert(number, InFlight { entry, member, twin, deadline: None });
            }
            deliveries.push(cursor.delivery(message, offset, 1, offset));
        }
        cursor.next < end || cursor.retries.ready() > 0
    }

    /// Whether `token` names a delivery that `member` holds.
    pub(crate) fn holds(&self, member: u64, token: Token) -> bool {
        let Some(cursor) = self.epochs.get(&token.epoch).map(|index| &self.cursors[*index]) else {
            return false;
        };
        let in_flight = if token.number & COPY == 0 {
            cursor.tracker.is_unsettled(token.number)
        } else {
            cursor.in_flight.contains_key(&token.number)
        };
        in_flight && cursor.owner == Some(member)
    }

    /// Settles one delivery; a token that is not in force is ignored.
    pub(crate) fn settle(
        &mut self,
        member: &mut Member,
        token: Token,
        settle: &Settle,
        cx: &mut Context<'_>,
    ) {
        let Some(index) = self.epochs.get(&token.epoch).copied() else { return };
        let cursor = &mut self.cursors[index];
        if cursor.owner != Some(member.id) {
            return;
        }
        let entry = if token.number & COPY == 0 {
            let offset = token.number;
            let committed = cursor.tracker.position();
            if !cursor.tracker.settle(offset) {
                return;
            }
            let entry = match settle {
                Settle::Retry { .. } => cursor.keep_copy(offset, cx),
                Settle::Ack | Settle::DeadLetter(_) => None,
            };
            cursor.release(committed, cx);
            entry
        } else {
            let Some(in_flight) = cursor.in_flight.remove(&token.number) else { return };
            match settle {
                _ if in_flight.twin => {
                    cx.topics.forgive();
                    None
                }
                Settle::Retry { .. } => Some(in_flight.entry),
                Settle::Ack | Settle::DeadLetter(_) => {
                    cx.topics.drop_copy(cursor.topic, in_flight.entry.message.size());
                    None
                }
            }
        };
        member.lets_go(1);
        if let (Some(entry), Settle::Retry { after }) = (entry, settle) {
            let due = cx.env.instant() + *after;
            cursor.retries.delay(entry, due);
            self.due = earliest(self.due, Some(due));
            member.wake(cx.wakes);
        }
        member.wake_if_stuck(cx.wakes);
    }

    /// Whether the broker forgets that `token` was settled: its partition then begins anew.
    pub(crate) fn ack_is_lost(&mut self, token: Token, members: &mut Members, cx: &mut Context<'_>) -> bool {
        let Some(index) = self.struck(FaultKind::DropAck, token, cx) else { return false };
        self.lose(index, members, cx);
        self.rebalance(members, cx);
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
        if self.struck(FaultKind::Crash, token, cx).is_none() {
            return false;
        }
        let held: Vec<_> =
            (0..self.cursors.len()).filter(|index| self.cursors[*index].owner == Some(member)).collect();
        for index in held {
            self.lose(index, members, cx);
        }
        self.rebalance(members, cx);
        true
    }

    fn struck(&mut self, kind: FaultKind, token: Token, cx: &Context<'_>) -> Option<usize> {
        let index = self.epochs.get(&token.epoch).copied()?;
        let cursor = &mut self.cursors[index];
        let strikes = token.number & COPY == 0
            && cursor.tracker.is_unsettled(token.number)
            && cursor.strikes(kind, token.number, cx);
        strikes.then_some(index)
    }

    /// Takes a partition from its owner, who is told that it is lost.
    fn lose(&mut self, index: usize, members: &mut Members, cx: &mut Context<'_>) {
        let Cursor { owner, epoch, .. } = self.cursors[index];
        self.take_back(index, members, cx);
        if let Some(member) = owner.and_then(|owner| members.get(owner)) {
            member.tell(SourceEvent::Lost { epoch }, cx.wakes);
        }
    }

    /// Ends an assignment: the partition goes on from its lowest unsettled offset under a new one.
    fn take_back(&mut self, index: usize, members: &mut Members, cx: &mut Context<'_>) {
        let cursor = &mut self.cursors[index];
        if let Some(member) = cursor.owner.and_then(|owner| members.get(owner)) {
            member.lets_go(cursor.in_flight());
        }
        for (_, in_flight) in std::mem::take(&mut cursor.in_flight).into_iter().rev() {
            if in_flight.twin {
                cx.topics.forgive();
            } else {
                cursor.retries.push_first(in_flight.entry);
            }
        }
        let position = cursor.tracker.position();
        cursor.tracker.reset(position);
        cursor.next = position;
        cursor.revoked_at = None;
        self.epochs.remove(&cursor.epoch);
        cursor.epoch = cx.new_epoch();
        self.epochs.insert(cursor.epoch, index);
    }

    /// The owner of `epoch` has no more to settle there.
    pub(crate) fn release(&mut self, member: u64, epoch: Epoch, members: &mut Members, cx: &mut Context<'_>) {
        let Some(index) = self.epochs.get(&epoch).copied() else { return };
        let cursor = &self.cursors[index];
        if cursor.owner != Some(member) || cursor.revoked_at.is_none() {
            return;
        }
        self.take_back(index, members, cx);
        self.cursors[index].owner = None;
        self.rebalance(members, cx);
    }

    /// A member has gone: what it held can be delivered again.
    pub(crate) fn left(&mut self, member: u64, members: &mut Members, cx: &mut Context<'_>) {
        for index in 0..self.cursors.len() {
            if self.cursors[index].owner == Some(member) {
                self.take_back(index, members, cx);
                self.cursors[index].owner = None;
            }
        }
        self.rebalance(members, cx);
    }

    /// Shares the partitions among the members. What is in flight is asked back first.
    pub(crate) fn rebalance(&mut self, members: &mut Members, cx: &mut Context<'_>) {
        for (index, target) in self.targets(members).into_iter().enumerate() {
            let cursor = &self.cursors[index];
            if cursor.owner == target {
                continue;
            }
            if cursor.in_flight() == 0 {
                self.take_back(index, members, cx);
                self.cursors[index].owner = target;
            } else if cursor.revoked_at.is_none() {
                self.revoke(index, members, cx);
            }
        }
        for member in members.iter_mut() {
            let held = |index: &usize| self.cursors[*index].owner == Some(member.id);
            member.assigned = (0..self.cursors.len()).filter(held).collect();
        }
        members.wake_all(cx.wakes);
    }

    fn revoke(&mut self, index: usize, members: &mut Members, cx: &mut Context<'_>) {
        let cursor = &mut self.cursors[index];
        let limit = cx.config.revoke_limit;
        cursor.revoked_at = Some(cx.env.instant() + limit);
        self.due = earliest(self.due, cursor.revoked_at);
        if let Some(member) = cursor.owner.and_then(|owner| members.get(owner)) {
            member.tell(SourceEvent::Revoking { epoch: cursor.epoch, limit }, cx.wakes);
        }
    }

    /// The member that is to have each cursor. The cursors of one topic lie side by side.
    fn targets(&self, members: &Members) -> Vec<Option<u64>> {
        let held: Vec<_> =
            self.cursors.iter().map(|cursor| Held { topic: cursor.topic, owner: cursor.owner }).collect();
        held.chunk_by(|a, b| a.topic == b.topic)
            .flat_map(|partitions| {
                let topic = partitions[0].topic;
                let interested: Vec<_> = members
                    .iter()
                    .filter(|member| member.topics.contains(&topic))
                    .map(|member| member.id)
                    .collect();
                assign(topic, partitions, &interested)
            })
            .collect()
    }

    /// Before this time nothing is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Instant, members: &mut Members, cx: &mut Context<'_>) {
        let mut moved = false;
        for index in 0..self.cursors.len() {
            let cursor = &mut self.cursors[index];
            cursor.retries.advance(now);
            cursor.stalled_until = cursor.stalled_until.filter(|until| *until > now);
            if cursor.revoked_at.is_some_and(|limit| limit <= now) {
                self.lose(index, members, cx);
                self.cursors[index].owner = None;
                moved = true;
            }
        }
        if moved {
            self.rebalance(members, cx);
        }
        self.due = self.cursors.iter().filter_map(Cursor::due).min();
        members.wake_for_deliveries(cx.wakes);
    }

    /// Per topic and partition, how many messages are not settled.
    pub(crate) fn lag(&self, cx: &Context<'_>) -> Vec<(usize, u32, u64)> {
        let behind = |cursor: &Cursor| {
            let end = cx.topics.get(cursor.topic).partitions[cursor.partition as usize].end();
            let retries = cursor.in_flight.values().filter(|in_flight| !in_flight.twin).count();
            let retries = (cursor.retries.len() + retries) as u64;
            (cursor.topic, cursor.partition, end - cursor.tracker.position() + retries)
        };
        self.cursors.iter().map(behind).collect()
    }

    /// Goes on from `start` in every partition. What is on its way to be retried stays so.
    pub(crate) fn seek(&mut self, start: Start, members: &mut Members, cx: &mut Context<'_>) {
        for index in 0..self.cursors.len() {
            if self.cursors[index].in_flight() > 0 {
                self.lose(index, members, cx);
            }
            let cursor = &mut self.cursors[index];
            let (before, place) =
                (cursor.tracker.position(), cx.topics.get(cursor.topic).place(cursor.partition, start));
            (place..before).for_each(|offset| cx.topics.retain(cursor.topic, cursor.partition, offset));
            (before..place).for_each(|offset| cx.topics.release(cursor.topic, cursor.partition, offset));
            cursor.tracker.reset(place);
            cursor.next = place;
        }
        members.wake_all(cx.wakes);
    }

    /// Stops to read: nothing is owed any more.
    pub(crate) fn end(&mut self, members: &mut Members, cx: &mut Context<'_>) {
        for index in 0..self.cursors.len() {
            self.take_back(index, members, cx);
            let cursor = &mut self.cursors[index];
            let end = cx.topics.get(cursor.topic).partitions[cursor.partition as usize].end();
            (cursor.next..end).for_each(|offset| cx.topics.release(cursor.topic, cursor.partition, offset));
            for entry in cursor.retries.clear() {
                cx.topics.drop_copy(cursor.topic, entry.message.size());
            }
        }
    }
}

impl Cursor {
    fn delivery(&self, message: Arc<Message>, offset: u64, attempt: u32, number: u64) -> Delivery {
        Delivery {
            message,
            partition: self.partition,
            position: Some(Position(offset)),
            attempt,
            epoch: self.epoch,
            token: Token { epoch: self.epoch, number },
        }
    }

    fn entry(&self, offset: u64, message: Arc<Message>) -> Entry {
        Entry { topic: self.topic, partition: self.partition, offset, message, attempts: 1, faults: 0 }
    }

    /// A copy of the message at `offset`, which is kept beside the log.
    fn keep_copy(&self, offset: u64, cx: &mut Context<'_>) -> Option<Entry> {
        let message = cx.topics.message(self.topic, self.partition, offset)?.clone();
        cx.topics.keep_copy(self.topic, message.size());
        Some(self.entry(offset, message))
    }

    /// Gives free what has been committed since `committed`.
    fn release(&mut self, committed: u64, cx: &mut Context<'_>) {
        let position = self.tracker.position();
        for offset in committed..position {
            cx.topics.release(self.topic, self.partition, offset);
        }
        while let Some(met) = self.faults.first_entry()
            && *met.key() < position
        {
            met.remove();
        }
    }

    fn strikes(&mut self, kind: FaultKind, offset: u64, cx: &Context<'_>) -> bool {
        let identity = self.identity(cx, offset);
        cx.dice.strikes(kind, identity, self.faults.entry(offset).or_default())
    }

    /// Whether a fault holds the partition back at `offset`.
    fn is_delayed(&mut self, offset: u64, cx: &Context<'_>) -> bool {
        let delayed = self.strikes(FaultKind::Delay, offset, cx);
        if delayed {
            let met = self.faults.get(&offset).copied().unwrap_or_default();
            let delay: Duration = cx.dice.delay(self.identity(cx, offset), met);
            self.stalled_until = Some(cx.env.instant() + delay);
        }
        delayed
    }
}

/// The earlier of two times that may not be set.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}
