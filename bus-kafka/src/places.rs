//! From where a group is to begin to an offset in each partition.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jitney_core::Error;
use jitney_core::transport::{Position, Start};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

use crate::cluster::{Cluster, Observer};

/// Offsets by topic and partition.
pub(crate) type Places = BTreeMap<(String, i32), i64>;

/// The first and the next offset of each partition of `topics`.
pub(crate) async fn bounds(
    cluster: &Cluster,
    topics: &[String],
) -> Result<BTreeMap<(String, i32), (i64, i64)>, Error> {
    let doing = format!("reading the bounds of topics of {}", cluster.config.describe());
    let topics = topics.to_vec();
    let question = move |observer: &Observer, limit: Duration| {
        let mut bounds = BTreeMap::new();
        for topic in &topics {
            for partition in partitions(observer, topic, limit)? {
                let found = observer.fetch_watermarks(topic, partition, limit)?;
                bounds.insert((topic.clone(), partition), found);
            }
        }
        Ok(bounds)
    };
    cluster.ask(&doing, question).await
}

fn partitions(observer: &Observer, topic: &str, limit: Duration) -> Result<Vec<i32>, KafkaError> {
    let metadata = observer.fetch_metadata(Some(topic), limit)?;
    let found = metadata.topics().iter().filter(|found| found.name() == topic);
    Ok(found.flat_map(|found| found.partitions()).map(|partition| partition.id()).collect())
}

/// Where `start` is in the partitions of `topics`. Partitions that it says nothing about are left out.
pub(crate) async fn places(cluster: &Cluster, topics: &[String], start: &Start) -> Result<Places, Error> {
    let bounds = bounds(cluster, topics).await?;
    match start {
        Start::Earliest => Ok(bounds.into_iter().map(|(place, (first, _))| (place, first)).collect()),
        Start::Latest => Ok(bounds.into_iter().map(|(place, (_, next))| (place, next)).collect()),
        Start::Time(time) => at_time(cluster, &bounds, *time).await,
        Start::Positions(_) => {
            let mut places = Places::new();
            for ((topic, partition), (first, next)) in bounds {
                let named = start.position_in(&topic, partition.unsigned_abs());
                let Some(Position(position)) = named else { continue };
                let offset = i64::try_from(position).unwrap_or(i64::MAX);
                if offset < first {
                    return Err(Error::config(format!(
                        "going to position {position} of topic `{topic}`, partition {partition}: it is no longer there; \
                         {first} to {next} are: use `Start::Earliest`, or a longer retention"
                    )));
                }
                places.insert((topic, partition), offset.min(next));
            }
            Ok(places)
        }
    }
}

async fn at_time(
    cluster: &Cluster,
    bounds: &BTreeMap<(String, i32), (i64, i64)>,
    time: Timestamp,
) -> Result<Places, Error> {
    let doing = format!("looking for {time} in topics of {}", cluster.config.describe());
    let all: Vec<_> = bounds.keys().cloned().collect();
    let question = move |observer: &Observer, limit: Duration| {
        let mut times = TopicPartitionList::new();
        for (topic, partition) in &all {
            times.add_partition_offset(topic, *partition, Offset::Offset(time.as_millisecond()))?;
        }
        let found = observer.offsets_for_times(times, limit)?;
        let offset = |place: &(String, i32)| match found.find_partition(&place.0, place.1)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        Ok(all.iter().map(|place| (place.clone(), offset(place))).collect::<BTreeMap<_, _>>())
    };
    let found = cluster.ask(&doing, question).await?;
    // Nothing is as young: the next event is the first one.
    let place = |(place, offset): ((String, i32), Option<i64>)| {
        let next = bounds.get(&place).map_or(0, |(_, next)| *next);
        (place, offset.unwrap_or(next))
    };
    Ok(found.into_iter().map(place).collect())
}
