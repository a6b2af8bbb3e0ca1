//! A group: its members, and its view of the topics that it reads.

use std::sync::Arc;
use std::task::Waker;

use jitney_core::message::Message;
use jitney_core::transport::{Delivery, Demand, Epoch, Settle, Start, Token};
use jitney_core::{Capabilities, Env};
use tokio::time::Instant;

use crate::Semantics;
use crate::config::Config;
use crate::faults::{Dice, hash_bytes};
use crate::log_view::LogView;
use crate::member::{Member, Members, Wakes};
use crate::queue_view::QueueView;
use crate::topic::Topics;
use crate::turns::Turn;

/// Everything beside a group that its work touches.
pub(crate) struct Context<'a> {
    pub(crate) topics: &'a mut Topics,
    pub(crate) epochs: &'a mut u64,
    pub(crate) wakes: &'a mut Wakes,
    pub(crate) dice: &'a Dice,
    pub(crate) config: &'a Config,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) env: &'a Env,
    /// Identifies the group where faults are decided.
    pub(crate) identity: u64,
}

impl Context<'_> {
    /// An epoch that no assignment and no connection had before.
    pub(crate) fn new_epoch(&mut self) -> Epoch {
        *self.epochs += 1;
        Epoch(*self.epochs)
    }
}

/// A group. A broadcast group is one such group per member, which ends with it.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) identity: u64,
    pub(crate) broadcast: bool,
    pub(crate) members: Members,
    view: View,
}

#[derive(Debug)]
enum View {
    Log(LogView),
    Queue(QueueView),
}

impl Group {
    pub(crate) fn new(name: &str, broadcast: bool, semantics: Semantics, seed: u64) -> Self {
        let identity = hash_bytes(name.as_bytes());
        let view = if semantics.is_log() {
            View::Log(LogView::default())
        } else {
            View::Queue(QueueView::new(semantics, seed ^ identity))
        };
        Group { name: name.to_owned(), identity, broadcast, members: Members::default(), view }
    }

    /// Begins to read `topic`. Answers what the group knows its first partition by.
    pub(crate) fn add_topic(&mut self, topic: usize, start: &Start, cx: &mut Context<'_>) -> usize {
        match &mut self.view {
            View::Log(view) => view.add_topic(topic, start, cx),
            View::Queue(view) => {
                view.add_topic(topic, start, cx);
                0
            }
        }
    }

    pub(crate) fn join(&mut self, member: Member, cx: &mut Context<'_>) {
        self.members.add(member);
        if let View::Log(view) = &mut self.view {
            view.rebalance(&mut self.members, cx);
        }
    }

    /// Ends a membership. Answers whether there was one.
    pub(crate) fn leave(&mut self, member: u64, cx: &mut Context<'_>) -> bool {
        let Some(mut gone) = self.members.remove(member) else { return false };
        gone.wake(cx.wakes);
        match &mut self.view {
            View::Log(view) => view.left(member, &mut self.members, cx),
            View::Queue(view) => view.left(member, &mut self.members, cx),
        }
        true
    }

    /// A message was stored that the group waits for.
    pub(crate) fn appended(
        &mut self,
        place: (usize, u32, u64),
        first: usize,
        message: &Arc<Message>,
        cx: &mut Context<'_>,
    ) {
        match &mut self.view {
            View::Log(view) => view.appended(first + place.1 as usize, &mut self.members, cx),
            View::Queue(view) => view.appended(place, message, &mut self.members, cx),
        }
    }

    /// What `member` may have now, and whether there was more that it could not take.
    pub(crate) fn take(
        &mut self,
        member: u64,
        demand: Demand,
        cx: &mut Context<'_>,
    ) -> (Vec<Delivery>, bool) {
        if let View::Queue(view) = &self.view
            && !view.is_reader(member, &self.members)
        {
            return (Vec::new(), false);
        }
        let Some(member) = self.members.get(member) else { return (Vec::new(), false) };
        match &mut self.view {
            View::Log(view) => view.take(member, demand, cx),
            View::Queue(view) => view.take(member, demand, cx),
        }
    }

    /// Whether `token` names a delivery that `member` holds.
    pub(crate) fn holds(&mut self, member: u64, token: Token) -> bool {
        let Some(member) = self.members.get(member) else { return false };
        match &self.view {
            View::Log(view) => view.holds(member.id, token),
            View::Queue(view) => view.holds(member, token),
        }
    }

    /// Whether it is the turn of `token` where all are settled in their order; only in a log there is one.
    pub(crate) fn turn(&self, member: u64, token: Token) -> Turn {
        match &self.view {
            View::Log(view) => view.turn(member, token),
            View::Queue(_) => Turn::Over,
        }
    }

    /// Wakes `waker` when that changes.
    pub(crate) fn wait_for_turn(&mut self, member: u64, token: Token, waker: &Waker) {
        if let View::Log(view) = &mut self.view {
            view.wait_for_turn(member, token, waker);
        }
    }

    /// Whether `token` names a second delivery of something, which alone counts.
    pub(crate) fn is_twin(&self, member: u64, token: Token) -> bool {
        matches!(&self.view, View::Log(view) if view.is_twin(member, token))
    }

    /// Settles one delivery; a token that is not in force is ignored.
    pub(crate) fn settle(&mut self, member: u64, token: Token, settle: &Settle, cx: &mut Context<'_>) {
        let Some(member) = self.members.get(member) else { return };
        match &mut self.view {
            View::Log(view) => view.settle(member, token, settle, cx),
            View::Queue(view) => view.settle(member, token, settle, cx),
        }
    }

    /// Whether a fault makes the broker forget that `token` was settled.
    pub(crate) fn ack_is_lost(&mut self, member: u64, token: Token, cx: &mut Context<'_>) -> bool {
        self.holds(member, token)
            && match &mut self.view {
                View::Log(view) => view.ack_is_lost(token, &mut self.members, cx),
                View::Queue(view) => view.ack_is_lost(member, token, &mut self.members, cx),
            }
    }

    /// Whether a fault kills the member that is about to settle `token`.
    pub(crate) fn member_crashes(&mut self, member: u64, token: Token, cx: &mut Context<'_>) -> bool {
        self.holds(member, token)
            && match &mut self.view {
                View::Log(view) => view.member_crashes(member, token, &mut self.members, cx),
                View::Queue(view) => view.member_crashes(member, token, &mut self.members, cx),
            }
    }

    pub(crate) fn keep_alive(&mut self, member: u64, tokens: &[Token], cx: &Context<'_>) {
        if let (Some(member), View::Queue(view)) = (self.members.get(member), &mut self.view) {
            view.keep_alive(member, tokens, cx);
        }
    }

    pub(crate) fn release(&mut self, member: u64, epoch: Epoch, cx: &mut Context<'_>) {
        if let View::Log(view) = &mut self.view {
            view.release(member, epoch, &mut self.members, cx);
        }
    }

    /// Before this time nothing is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        match &self.view {
            View::Log(view) => view.due(),
            View::Queue(view) => view.due(),
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn advance(&mut self, now: Instant, cx: &mut Context<'_>) {
        match &mut self.view {
            View::Log(view) => view.advance(now, &mut self.members, cx),
            View::Queue(view) => view.advance(now, &mut self.members, cx),
        }
    }

    /// Per topic and partition, how many messages are not settled.
    pub(crate) fn lag(&self, cx: &Context<'_>) -> Vec<(usize, u32, u64)> {
        match &self.view {
            View::Log(view) => view.lag(cx),
            View::Queue(view) => view.lag(),
        }
    }

    pub(crate) fn seek(&mut self, start: &Start, cx: &mut Context<'_>) {
        match &mut self.view {
            View::Log(view) => view.seek(start, &mut self.members, cx),
            View::Queue(view) => view.seek(start, &mut self.members, cx),
        }
    }

    /// Ends the group: nothing is owed to it any more, and its members are told.
    pub(crate) fn end(&mut self, cx: &mut Context<'_>) {
        match &mut self.view {
            View::Log(view) => view.end(cx),
            View::Queue(view) => view.end(cx),
        }
        self.members.wake_all(cx.wakes);
    }
}
