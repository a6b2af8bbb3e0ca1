//! How a group reads logs, by Kafka's rules: one member per partition, committed up to the lowest unsettled offset.

mod rebalance;

use std::collections::BTreeMap;
use std::task::Waker;

use jitney_core::transport::{Delivery, Demand, Epoch, Settle, Start, Token};
use tokio::time::Instant;

use crate::cursor::{COPY, Cursor};
use crate::group::Context;
use crate::member::{Member, Members};
use crate::queue::earliest;
use crate::turns::Turn;

/// A group's places in the partitions of its topics.
#[derive(Debug, Default)]
pub(crate) struct LogView {
    cursors: Vec<Cursor>,
    /// The cursor of each assignment that is in force.
    epochs: BTreeMap<Epoch, usize>,
    /// Before this time nothing is due.
    due: Option<Instant>,
}

impl LogView {
    /// Begins to read `topic`. Answers what its first partition is known by.
    pub(crate) fn add_topic(&mut self, topic: usize, start: &Start, cx: &mut Context<'_>) -> usize {
        let first = self.cursors.len();
        let partitions = cx.topics.get(topic).partitions.len();
        for partition in (0..).take(partitions) {
            let read = cx.topics.get(topic);
            let oldest = read.partitions[partition as usize].start();
            let place = read.place(partition, start).unwrap_or(oldest);
            let epoch = cx.new_epoch();
            let cursor = Cursor::new(topic, partition, place, epoch);
            for offset in place..cursor.end(cx) {
                cx.topics.retain(topic, partition, offset);
            }
            self.epochs.insert(epoch, self.cursors.len());
            self.cursors.push(cursor);
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
        let (before, from) = member.assigned.split_at(member.turn.min(member.assigned.len()));
        for index in from.iter().chain(before) {
            more |= self.cursors[*index].take(&mut budget, &mut deliveries, cx);
        }
        if cx.dice.on_deliveries() {
            self.due = self.cursors.iter().filter_map(Cursor::due).chain(self.due).min();
        }
        member.turn = if member.turn + 1 < member.assigned.len() { member.turn + 1 } else { 0 };
        member.holds(deliveries.len());
        (deliveries, more)
    }

    /// Whether `token` names a delivery that `member` holds.
    pub(crate) fn holds(&self, member: u64, token: Token) -> bool {
        self.cursor_of(member, token).is_some()
    }

    /// Where the delivery of `token` lies, if `member` holds it.
    fn cursor_of(&self, member: u64, token: Token) -> Option<usize> {
        let index = self.epochs.get(&token.epoch).copied()?;
        let cursor = &self.cursors[index];
        let in_flight = if token.number & COPY == 0 {
            cursor.tracker.is_unsettled(token.number)
        } else {
            cursor.copies.contains_key(&token.number)
        };
        (in_flight && cursor.owner == Some(member)).then_some(index)
    }

    /// Whether it is the turn of `token` where all are settled in their order.
    pub(crate) fn turn(&self, member: u64, token: Token) -> Turn {
        self.cursor_of(member, token).map_or(Turn::Over, |index| self.cursors[index].turn(token.number))
    }

    /// Wakes `waker` when that changes.
    pub(crate) fn wait_for_turn(&mut self, member: u64, token: Token, waker: &Waker) {
        if let Some(index) = self.cursor_of(member, token) {
            self.cursors[index].turns.wait(token.number, waker);
        }
    }

    /// Whether `token` names a second delivery of something.
    pub(crate) fn is_twin(&self, member: u64, token: Token) -> bool {
        self.cursor_of(member, token).is_some_and(|index| self.cursors[index].is_twin(token.number))
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
        let again = if token.number & COPY == 0 {
            let committed = cursor.tracker.position();
            if !cursor.tracker.settle(token.number) {
                return;
            }
            let again = match settle {
                Settle::Retry { .. } => cursor.keep_copy(token.number, cx),
                Settle::Ack | Settle::DeadLetter(_) => None,
            };
            cursor.release(committed, cx);
            again
        } else {
            let Some(copy) = cursor.copies.remove(&token.number) else { return };
            match settle {
                Settle::Retry { .. } if !copy.entry.twin => Some(copy.entry),
                Settle::Retry { .. } | Settle::Ack | Settle::DeadLetter(_) => {
                    cursor.drop_copy(&copy.entry, cx);
                    None
                }
            }
        };
        member.lets_go(1);
        if let (Some(entry), Settle::Retry { after }) = (again, settle) {
            cursor.retries.delay(entry, cx.env.instant() + *after);
            self.due = earliest(self.due, cursor.retries.due());
            member.wake(cx.wakes);
        }
        member.wake_if_stuck(cx.wakes);
    }

    /// Before this time nothing is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Per topic and partition, how many messages are not settled.
    pub(crate) fn lag(&self, cx: &Context<'_>) -> Vec<(usize, u32, u64)> {
        let behind = |cursor: &Cursor| {
            let held = cursor.copies.values().map(|copy| &copy.entry);
            let copies = cursor.retries.iter().chain(held).filter(|entry| !entry.twin).count() as u64;
            (cursor.topic, cursor.partition, cursor.end(cx) - cursor.tracker.position() + copies)
        };
        self.cursors.iter().map(behind).collect()
    }

    /// Goes on from `start`, in every partition for which it says something. What is on its way to be retried stays so.
    pub(crate) fn seek(&mut self, start: &Start, members: &mut Members, cx: &mut Context<'_>) {
        for index in 0..self.cursors.len() {
            let Cursor { topic, partition, .. } = self.cursors[index];
            let Some(place) = cx.topics.get(topic).place(partition, start) else { continue };
            if self.cursors[index].in_flight() > 0 {
                self.lose(index, members, cx);
            }
            let cursor = &mut self.cursors[index];
            let before = cursor.tracker.position();
            (place..before).for_each(|offset| cx.topics.retain(cursor.topic, cursor.partition, offset));
            (before..place).for_each(|offset| cx.topics.release(cursor.topic, cursor.partition, offset));
            cursor.reset(place);
        }
        self.rebalance(members, cx);
    }

    /// Stops to read: nothing is owed any more.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>) {
        for cursor in &mut self.cursors {
            cursor.take_back(cx);
            let end = cursor.end(cx);
            for offset in cursor.tracker.position()..end {
                cx.topics.release(cursor.topic, cursor.partition, offset);
            }
            for entry in cursor.retries.clear() {
                cursor.drop_copy(&entry, cx);
            }
        }
    }
}
