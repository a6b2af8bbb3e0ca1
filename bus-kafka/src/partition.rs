//! One assigned partition: what is read from it, what of that is settled, and what can be committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jitney_core::Error;
use jitney_core::message::{Message, Topic};
use jitney_core::transport::{Delivery, Demand, Epoch, OffsetTracker, Position, Token};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::message::Message as _;

use crate::member_context::MemberContext;
use crate::window::Units;
use crate::{error, record, retry_topics};

/// One partition, for as long as it is assigned to this member.
pub(crate) struct Partition {
    pub(crate) epoch: Epoch,
    pub(crate) topic: Topic,
    pub(crate) number: i32,
    /// Its deliveries are about to go to another member: nothing more is read.
    pub(crate) is_revoked: bool,
    /// Settlements that wait for a transaction.
    pub(crate) units: Units,
    queue: PartitionQueue<MemberContext>,
    may_have_more: Arc<AtomicBool>,
    tracker: Option<OffsetTracker>,
    /// What was sent to be committed last.
    sent: Option<u64>,
    /// What the cluster has, for sure.
    committed: Option<u64>,
    /// What is delivered and not settled, where deliveries may be handed back.
    held: Option<BTreeMap<u64, Held>>,
    /// The next delivery, where it is not due yet.
    early: Option<(Timestamp, Delivery)>,
    /// A delivery behind which there were others already.
    found_behind: Option<(Timestamp, Delivery)>,
    is_retry_topic: bool,
}

/// A delivery that may be handed back.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) message: Arc<Message>,
    pub(crate) partition: u32,
    pub(crate) position: Option<Position>,
    pub(crate) attempt: u32,
}

/// What came instead of deliveries.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// The client, or the cluster, could not read.
    Failed(Error),
    /// The log begins anew at an earlier offset: it was deleted and made again, or cut by a leader that had less. The same
    /// offsets are other records now, and the partition is to be [restarted](Partition::restart).
    WentBack,
}

/// How much more may be taken.
pub(crate) struct Budget {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Budget {
    pub(crate) fn new(demand: Demand, room: usize) -> Self {
        Budget { events: demand.events.min(room), bytes: demand.bytes }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.events == 0 || self.bytes == 0
    }

    fn spend(&mut self, bytes: usize) {
        self.events -= 1;
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Partition {
    /// The partition behind `queue`, which `wake` is called for when something comes.
    pub(crate) fn new(
        epoch: Epoch,
        topic: Topic,
        number: i32,
        mut queue: PartitionQueue<MemberContext>,
        wake: impl Fn() + Send + Sync + 'static,
        may_be_handed_back: bool,
        is_retry_topic: bool,
    ) -> Self {
        let may_have_more = Arc::new(AtomicBool::new(true));
        let has_more = Arc::clone(&may_have_more);
        queue.set_nonempty_callback(move || {
            has_more.store(true, Ordering::Release);
            wake();
        });
        Partition {
            epoch,
            topic,
            number,
            is_revoked: false,
            units: Units::default(),
            queue,
            may_have_more,
            tracker: None,
            sent: None,
            committed: None,
            held: may_be_handed_back.then(BTreeMap::new),
            early: None,
            found_behind: None,
            is_retry_topic,
        }
    }

    /// Begins anew under `epoch`, wherever the client has gone. What the last look found there comes first.
    pub(crate) fn restart(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        self.units = Units::default();
        self.tracker = None;
        self.sent = None;
        self.committed = None;
        self.early = self.found_behind.take().map(|(due, mut delivery)| {
            delivery.epoch = epoch;
            delivery.token.epoch = epoch;
            (due, delivery)
        });
        if let Some(held) = &mut self.held {
            held.clear();
        }
        self.may_have_more.store(true, Ordering::Release);
    }

    /// Reads what is there, within `budget`. Answers what came instead, if something did.
    pub(crate) fn take(
        &mut self,
        now: impl Fn() -> Timestamp,
        budget: &mut Budget,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Interruption> {
        if self.is_revoked || budget.is_spent() {
            return Ok(());
        }
        if let Some((_, delivery)) = self.early.take_if(|(due, _)| *due <= now()) {
            self.deliver(delivery, budget, out);
        }
        if self.early.is_some() || !self.may_have_more.swap(false, Ordering::Acquire) {
            return Ok(());
        }
        while !budget.is_spent() && self.early.is_none() && self.has_room() {
            let Some(next) = self.queue.poll(Duration::ZERO) else { return Ok(()) };
            let record = match next {
                Ok(record) => record,
                Err(error) => {
                    self.may_have_more.store(true, Ordering::Release);
                    let doing = format!("reading partition {} of topic `{}`", self.number, self.topic);
                    return Err(Interruption::Failed(error::client(&doing, error)));
                }
            };
            let offset = record.offset().max(0).unsigned_abs();
            let message = record::message(&record, self.topic.clone());
            let token = Token { epoch: self.epoch, number: offset };
            let mut delivery =
                Delivery::new(Arc::new(message), token).at(self.number.unsigned_abs(), Position(offset));
            let due = if self.is_retry_topic { retry_topics::restore(&mut delivery) } else { None };
            if self.tracker.as_ref().is_some_and(|tracker| offset < tracker.end()) {
                self.found_behind = Some((due.unwrap_or(Timestamp::UNIX_EPOCH), delivery));
                return Err(Interruption::WentBack);
            }
            match due {
                Some(due) if due > now() => self.early = Some((due, delivery)),
                _ => self.deliver(delivery, budget, out),
            }
        }
        self.may_have_more.store(true, Ordering::Release);
        Ok(())
    }

    fn deliver(&mut self, delivery: Delivery, budget: &mut Budget, out: &mut Vec<Delivery>) {
        let offset = delivery.token.number;
        self.sent.get_or_insert(offset);
        self.committed.get_or_insert(offset);
        self.tracker.get_or_insert_with(|| OffsetTracker::new(offset)).track(offset);
        if let Some(held) = &mut self.held {
            let Delivery { message, partition, position, attempt, .. } = &delivery;
            let (partition, position, attempt) = (*partition, *position, *attempt);
            held.insert(offset, Held { message: Arc::clone(message), partition, position, attempt });
        }
        budget.spend(delivery.message.size());
        out.push(delivery);
    }

    fn has_room(&self) -> bool {
        self.tracker.as_ref().is_none_or(|tracker| tracker.room() > 0)
    }

    /// When the next delivery is due, where it has to wait.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.early.as_ref().map(|(due, _)| *due)
    }

    /// Settles one delivery; answers whether it was unsettled.
    pub(crate) fn settle(&mut self, offset: u64) -> bool {
        if let Some(held) = &mut self.held {
            held.remove(&offset);
        }
        self.tracker.as_mut().is_some_and(|tracker| tracker.settle(offset))
    }

    /// A delivery that is to be handed back, while it is unsettled.
    pub(crate) fn held(&self, offset: u64) -> Option<Held> {
        self.held.as_ref()?.get(&offset).cloned()
    }

    /// Whether the delivery at `offset` is unsettled.
    pub(crate) fn holds(&self, offset: u64) -> bool {
        self.tracker.as_ref().is_some_and(|tracker| tracker.is_unsettled(offset))
    }

    /// How many deliveries are unsettled.
    pub(crate) fn unsettled(&self) -> usize {
        self.tracker.as_ref().map_or(0, OffsetTracker::unsettled)
    }

    /// Where the group would go on: everything before it is settled.
    pub(crate) fn position(&self) -> Option<u64> {
        self.tracker.as_ref().map(OffsetTracker::position)
    }

    /// The position, where it was not sent to be committed, or is not committed for sure.
    pub(crate) fn to_commit(&self, for_sure: bool) -> Option<u64> {
        let known = if for_sure { self.committed } else { self.sent };
        self.position().filter(|position| known != Some(*position))
    }

    /// Where the group would go on if what waits for a transaction were settled, where that is not committed.
    pub(crate) fn to_store(&self) -> Option<u64> {
        let tracker = self.tracker.as_ref()?;
        let position = tracker.position_with(|offset| self.units.has(offset));
        (self.committed != Some(position)).then_some(position)
    }

    /// `position` is on its way to be committed.
    pub(crate) fn sent(&mut self, position: u64) {
        self.sent = Some(position);
    }

    /// The cluster has `position`.
    pub(crate) fn committed(&mut self, position: u64) {
        self.sent = Some(position);
        self.committed = Some(position);
    }
}
