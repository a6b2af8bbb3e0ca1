//! What the client of a member tells from inside its callbacks, kept for the driver: nothing may wait in there.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;

use crate::context::Context;

/// The context of a member's client.
#[derive(Default)]
pub(crate) struct MemberContext {
    context: Context,
    rebalances: Mutex<VecDeque<Rebalance>>,
    is_closing: AtomicBool,
}

/// What the group has decided about this member.
pub(crate) enum Rebalance {
    /// These partitions too are its own.
    Assign(TopicPartitionList),
    /// These are to go to others.
    Revoke(TopicPartitionList),
}

impl MemberContext {
    /// The oldest decision that was not answered.
    pub(crate) fn next_rebalance(&self) -> Option<Rebalance> {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Puts a decision back, to be answered first.
    pub(crate) fn put_back(&self, rebalance: Rebalance) {
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_front(rebalance);
    }

    /// Answers the decisions that are kept, `revoking` before them; from now on, decisions are answered at once: nobody
    /// reads any more. While one has no answer the client does not leave the group, and the group waits for it.
    pub(crate) fn close(&self, consumer: &BaseConsumer<Self>, revoking: Option<TopicPartitionList>) {
        self.is_closing.store(true, Ordering::Release);
        revoking.into_iter().for_each(|partitions| answer(consumer, &Rebalance::Revoke(partitions)));
        while let Some(rebalance) = self.next_rebalance() {
            answer(consumer, &rebalance);
        }
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        // A clone shares nothing with the list, which ends with this call.
        let partitions = partitions.clone();
        let rebalance = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            _ => Rebalance::Revoke(partitions),
        };
        if self.is_closing.load(Ordering::Acquire) {
            answer(consumer, &rebalance);
        } else {
            self.rebalances.lock().unwrap_or_else(PoisonError::into_inner).push_back(rebalance);
        }
    }
}

/// Answers a decision without reading anything more.
fn answer(consumer: &BaseConsumer<MemberContext>, rebalance: &Rebalance) {
    let answered = match rebalance {
        Rebalance::Assign(_) => consumer.incremental_assign(&TopicPartitionList::new()),
        Rebalance::Revoke(partitions) => consumer.incremental_unassign(partitions),
    };
    if let Err(error) = answered {
        tracing::warn!(%error, "a rebalance was not answered while leaving the group");
    }
}
