//! How deliveries come back into the queue without having been settled.

use jitney_core::transport::{SourceEvent, Token};
use tokio::time::Instant;

use super::{QueueView, done, identity};
use crate::faults::FaultKind;
use crate::group::Context;
use crate::member::Members;
use crate::queue::InFlight;

impl QueueView {
    /// A member has gone: what it held can be delivered again.
    pub(crate) fn left(&mut self, member: u64, members: &mut Members, cx: &mut Context<'_>) {
        self.take_back(member, cx);
        members.wake_for_deliveries(cx.wakes);
    }

    /// Does what is due at `now`: takes back what was not settled in time, and makes ready what was delayed.
    pub(crate) fn advance(&mut self, now: Instant, members: &mut Members, cx: &mut Context<'_>) {
        let is_due = |_: &u64, held: &mut InFlight| held.deadline.is_some_and(|due| due <= now);
        let expired: Vec<_> = self.in_flight.extract_if(.., is_due).map(|(_, held)| held).collect();
        for InFlight { entry, member, .. } in expired {
            if let Some(member) = member.and_then(|member| members.get(member)) {
                member.lets_go(1);
            }
            if entry.twin {
                done(&entry, cx);
            } else {
                self.queue.push(entry);
            }
        }
        self.queue.advance(now);
        let deadlines = self.in_flight.values().filter_map(|held| held.deadline);
        self.due = deadlines.chain(self.queue.due()).min();
        members.wake_for_deliveries(cx.wakes);
    }

    /// Whether a fault makes the broker forget that `token` was settled. A queue with time-outs delivers it again
    /// after its own; otherwise the connection broke, and everything on it comes again.
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
        match self.in_flight.get(&token.number).and_then(|held| held.deadline) {
            Some(deadline) => {
                let Some(held) = self.in_flight.remove(&token.number) else { return false };
                self.delay(held.entry, deadline);
                if let Some(member) = members.get(member) {
                    member.lets_go(1);
                    member.wake(cx.wakes);
                }
            }
            None => self.lose(member, members, cx),
        }
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
        let crashes = self.struck(FaultKind::Crash, token, cx);
        if crashes {
            self.lose(member, members, cx);
        }
        crashes
    }

    fn struck(&mut self, kind: FaultKind, token: Token, cx: &Context<'_>) -> bool {
        let Some(held) = self.in_flight.get_mut(&token.number).filter(|held| !held.entry.twin) else {
            return false;
        };
        let identity = identity(cx, &held.entry);
        cx.dice.strikes(kind, identity, &mut held.entry.faults)
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
        if self.has_one_reader {
            // It comes back behind those that stand by.
            members.move_to_end(member);
        }
        members.wake_for_deliveries(cx.wakes);
    }

    /// Puts what `member` holds back to the front, in its order. Answers how much it was.
    fn take_back(&mut self, member: u64, cx: &mut Context<'_>) -> usize {
        let is_held = |_: &u64, held: &mut InFlight| held.member == Some(member);
        let held: Vec<_> = self.in_flight.extract_if(.., is_held).map(|(_, held)| held.entry).collect();
        let taken = held.len();
        for entry in held.into_iter().rev() {
            if entry.twin {
                done(&entry, cx);
            } else {
                self.queue.push_first(entry);
            }
        }
        taken
    }
}
