//! The calls under way, in their order, and the channel that they go by.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Waker};

use jitney_core::Error;
use jitney_core::message::Message;
use lapin::Channel;

use super::call::{Call, Confirm};
use crate::wire;

/// What changes.
#[derive(Default)]
pub(super) struct Line {
    pub(super) channel: Option<Arc<Channel>>,
    /// The topics that were declared by this channel.
    pub(super) declared: HashSet<String>,
    /// By ticket: in the order in which they began.
    pub(super) calls: BTreeMap<u64, Arc<Call>>,
    next: u64,
    /// A task is at work on it: calls wait until that has sent them.
    pub(super) is_mending: bool,
    /// The last channel ended by a message: they are to be sent one by one.
    pub(super) is_suspect: bool,
    pub(super) is_closed: bool,
    /// Confirms of calls that were dropped, or whose time was up: the client keeps for good what is dropped unread.
    abandoned: Vec<Confirm>,
    /// With so many of them they are looked at.
    look_at: usize,
}

/// So few confirms that nobody reads are not worth a look.
const FEW: usize = 64;

impl Line {
    /// Puts `call` at the end.
    pub(super) fn enter(&mut self, call: Arc<Call>) -> u64 {
        self.next += 1;
        self.calls.insert(self.next, call);
        self.next
    }

    /// Takes out the call of `ticket`, which has ended.
    pub(super) fn leave(&mut self, ticket: u64) {
        let Some(call) = self.calls.remove(&ticket) else { return };
        self.abandoned.extend(call.abandon());
        if self.abandoned.len() > self.look_at.max(FEW) {
            let mut cx = Context::from_waker(Waker::noop());
            self.abandoned.retain_mut(|confirm| confirm.as_mut().poll(&mut cx).is_pending());
            self.look_at = 2 * self.abandoned.len();
        }
    }

    /// Goes on by another channel.
    pub(super) fn replace(&mut self, channel: Arc<Channel>) {
        self.channel = Some(channel);
        self.declared.clear();
    }

    /// The channel ended for `error`.
    pub(super) fn interrupted(&mut self, error: &lapin::Error) {
        self.is_suspect |= error.is_amqp_soft_error();
    }

    /// Reads what confirms of `own` are there, and of all calls where these are all; answers why the channel ended, where it
    /// did. Messages that came back are answered with `unroutable`.
    ///
    /// The client hands a message that came back to any call's confirm. It does so before, or while, it tells of the confirm
    /// of the message itself: so what was found confirmed holds when a look at all others afterwards has found nothing
    /// against it.
    pub(super) fn read(
        &mut self,
        own: &Call,
        unroutable: impl Fn(&Message) -> Error,
    ) -> Option<lapin::Error> {
        let why = self.look(std::iter::once(own), &unroutable);
        if why.is_some() || !own.is_confirmed() {
            return why;
        }
        self.calls.values().for_each(|call| call.ripen());
        self.look(self.calls.values().map(|call| &**call), &unroutable)
    }

    /// Has everything wait again that went by a channel that has ended.
    pub(super) fn recall(&mut self, unroutable: impl Fn(&Message) -> Error) {
        if let Some(error) = self.look(self.calls.values().map(|call| &**call), unroutable) {
            self.interrupted(&error);
        }
        self.calls.values().for_each(|call| call.wake());
    }

    fn look<'c>(
        &self,
        calls: impl Iterator<Item = &'c Call>,
        unroutable: impl Fn(&Message) -> Error,
    ) -> Option<lapin::Error> {
        let mut returned = Vec::new();
        let mut why = None;
        for call in calls {
            why = call.sweep(&mut returned).or(why);
        }
        for message in returned {
            let place = wire::ticket(&message.delivery.properties).and_then(place);
            if let Some((ticket, index)) = place
                && let Some(call) = self.calls.get(&ticket)
                && let Some(outbound) = call.batch.get(index)
            {
                call.settle(index, Err(unroutable(&outbound.message)));
            }
        }
        why
    }

    /// A topic of something that waits and that `is_missing`.
    pub(super) fn wanted(&self, is_missing: impl Fn(&Line, &str) -> bool) -> Option<String> {
        let missing =
            |call: &Arc<Call>| call.missing_topic(|topic| is_missing(self, topic)).map(str::to_owned);
        self.calls.values().find_map(missing)
    }

    /// The first message that waits.
    pub(super) fn next_waiting(&self) -> Option<(u64, Arc<Call>, usize)> {
        self.calls.iter().find_map(|(ticket, call)| {
            let index = (0..call.batch.len()).find(|index| call.is_waiting(*index))?;
            Some((*ticket, Arc::clone(call), index))
        })
    }

    /// Answers everything for `topic` that waits with an error.
    pub(super) fn refuse(&mut self, topic: &str, error: impl Fn(&Message) -> Error) {
        self.refuse_those(|message| *message.topic == *topic, error);
    }

    /// Answers everything that waits with an error, and mends no more until something is published again.
    pub(super) fn refuse_all(&mut self, error: impl Fn(&Message) -> Error) {
        self.refuse_those(|_| true, error);
        self.is_mending = false;
    }

    fn refuse_those(&self, those: impl Fn(&Message) -> bool, error: impl Fn(&Message) -> Error) {
        for call in self.calls.values() {
            for (index, outbound) in call.batch.iter().enumerate() {
                if call.is_waiting(index) && those(&outbound.message) {
                    call.settle(index, Err(error(&outbound.message)));
                }
            }
            call.wake();
        }
    }
}

/// By what the message at `index` of a call is known again.
pub(super) fn ticket(call: u64, index: usize) -> String {
    format!("{call}.{index}")
}

/// The call and the place in it that `ticket` names.
fn place(ticket: &str) -> Option<(u64, usize)> {
    let (call, index) = ticket.split_once('.')?;
    Some((call.parse().ok()?, index.parse().ok()?))
}
