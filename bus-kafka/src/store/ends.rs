//! Where partitions end.
//!
//! The client's question about several partitions at once (`offsets_for_times`, for the end in place of a time) goes to each
//! leader once, where that about one (`fetch_watermarks`) goes there twice. An answer that comes when the question was given up
//! finds no one: the client throws it away with the queue that it was to go to.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

/// Where these partitions end for `client`, which is where the first open transaction begins for one that reads what is committed.
/// Blocks for no longer than `limit`.
pub(super) fn ask<'p, C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: impl IntoIterator<Item = (&'p str, i32)>,
    limit: Duration,
) -> KafkaResult<Vec<u64>> {
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in partitions {
        asked.add_partition_offset(topic, partition, Offset::End)?;
    }
    let answered = client.offsets_for_times(asked, limit)?;
    answered.elements().iter().map(end).collect()
}

/// A partition that has no leader stays as it was asked for.
fn end(element: &TopicPartitionListElem<'_>) -> KafkaResult<u64> {
    element.error()?;
    match element.offset() {
        Offset::Offset(offset) => Ok(u64::try_from(offset).unwrap_or(0)),
        _ => Err(KafkaError::OffsetFetch(Code::LeaderNotAvailable)),
    }
}
