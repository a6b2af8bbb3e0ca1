//! How partitions go from member to member, of their own will or not.

use jitney_core::transport::{Epoch, SourceEvent, Token};
use tokio::time::Instant;

use super::LogView;
use crate::assignment::{Held, assign};
use crate::cursor::{COPY, Cursor};
use crate::faults::FaultKind;
use crate::group::Context;
use crate::member::Members;
use crate::queue::earliest;

impl LogView {
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

    /// The member that is to have each cursor. The cursors of one topic lie side by side.
    fn targets(&self, members: &Members) -> Vec<Option<u64>> {
        let held: Vec<_> =
            self.cursors.iter().map(|cursor| Held { topic: cursor.topic, owner: cursor.owner }).collect();
        held.chunk_by(|a, b| a.topic == b.topic)
            .flat_map(|partitions| {
                let topic = partitions[0].topic;
                let interested = members.iter().filter(|member| member.topics.contains(&topic));
                assign(topic, partitions, &interested.map(|member| member.id).collect::<Vec<_>>())
            })
            .collect()
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

    /// The owner of `epoch` has no more to settle there.
    pub(crate) fn release(&mut self, member: u64, epoch: Epoch, members: &mut Members, cx: &mut Context<'_>) {
        let Some(index) = self.epochs.get(&epoch).copied() else { return };
        let cursor = &self.cursors[index];
        if cursor.owner == Some(member) && cursor.revoked_at.is_some() {
            self.take_back(index, members, cx);
            self.cursors[index].owner = None;
            self.rebalance(members, cx);
        }
    }

    /// A member has gone: what it held can be delivered again.
    pub(crate) fn left(&mut self, member: u64, members: &mut Members, cx: &mut Context<'_>) {
        for index in self.held_by(member) {
            self.take_back(index, members, cx);
            self.cursors[index].owner = None;
        }
        self.rebalance(members, cx);
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Instant, members: &mut Members, cx: &mut Context<'_>) {
        let mut moved = false;
        for index in 0..self.cursors.len() {
            self.cursors[index].advance(now);
            if self.cursors[index].revoked_at.is_some_and(|limit| limit <= now) {
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

    /// Whether a fault makes the broker forget that `token` was settled: its partition then begins anew.
    pub(crate) fn ack_is_lost(&mut self, token: Token, members: &mut Members, cx: &mut Context<'_>) -> bool {
        let Some(index) = self.struck(FaultKind::DropAck, token, cx) else { return false };
        self.lose(index, members, cx);
        self.rebalance(members, cx);
        true
    }

    /// Whether a fault kills the member that is about to settle `token`: everything that it holds is lost to it.
    pub(crate) fn member_crashes(
        &mut self,
        member: u64,
        token: Token,
        members: &mut Members,
        cx: &mut Context<'_>,
    ) -> bool {
        let crashes = self.struck(FaultKind::Crash, token, cx).is_some();
        if crashes {
            for index in self.held_by(member) {
                self.lose(index, members, cx);
            }
            self.rebalance(members, cx);
        }
        crashes
    }

    fn struck(&mut self, kind: FaultKind, token: Token, cx: &Context<'_>) -> Option<usize> {
        let index = self.epochs.get(&token.epoch).copied()?;
        let strikes = token.number & COPY == 0 && self.cursors[index].strikes(kind, token.number, cx);
        strikes.then_some(index)
    }

    fn held_by(&self, member: u64) -> Vec<usize> {
        (0..self.cursors.len()).filter(|index| self.cursors[*index].owner == Some(member)).collect()
    }

    /// Takes a partition from its owner, who is told that it is lost.
    pub(super) fn lose(&mut self, index: usize, members: &mut Members, cx: &mut Context<'_>) {
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
        cursor.take_back(cx);
        self.epochs.remove(&cursor.epoch);
        cursor.epoch = cx.new_epoch();
        self.epochs.insert(cursor.epoch, index);
    }
}
