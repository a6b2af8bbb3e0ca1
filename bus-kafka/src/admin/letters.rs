//! Reading dead letters without taking them away.

use jitney_core::Error;
use jitney_core::message::{Message, Topic};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::Cluster;
use crate::places::bounds;
use crate::{aside, record};

/// The oldest messages of `topic`, at most `limit`; none where it does not exist.
pub(super) async fn read(cluster: &Cluster, topic: &Topic, limit: usize) -> Result<Vec<Message>, Error> {
    if cluster.shape_of(topic).await?.is_none() {
        return Ok(Vec::new());
    }
    let ends = bounds(cluster, &[topic.to_string()]).await?;
    let doing = format!("reading the dead letters in topic `{topic}` of {}", cluster.config.describe());
    let reader = cluster.reader()?;
    let (env, name) = (cluster.env.clone(), topic.clone());
    let read = move |_: &crate::cluster::Observer, patience| {
        let mut open: Vec<(i32, i64)> = Vec::new();
        let mut assignment = TopicPartitionList::new();
        for ((topic, partition), (first, next)) in &ends {
            if first < next {
                assignment.add_partition_offset(topic, *partition, Offset::Offset(*first))?;
                open.push((*partition, *next));
            }
        }
        reader.assign(&assignment)?;
        let mut letters = Vec::new();
        let deadline = env.instant() + patience;
        while !open.is_empty() && letters.len() < limit {
            match reader.poll(std::time::Duration::from_millis(50)) {
                Some(Ok(found)) => {
                    open.retain(|(partition, next)| {
                        *partition != found.partition() || found.offset() + 1 < *next
                    });
                    letters.push(aside::undated(record::message(&found, name.clone())));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => open.retain(|(open, _)| *open != partition),
                Some(Err(error)) if env.instant() > deadline => return Err(error),
                Some(Err(_)) => {}
                None if env.instant() > deadline => {
                    return Err(KafkaError::MessageConsumption(
                        rdkafka::error::RDKafkaErrorCode::OperationTimedOut,
                    ));
                }
                None => {}
            }
        }
        Ok(letters)
    };
    cluster.ask(&doing, read).await
}
