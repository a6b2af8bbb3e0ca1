//! How far groups are behind, and sending them elsewhere.

use std::collections::BTreeMap;

use jitney_core::admin::Lag;
use jitney_core::transport::Start;
use jitney_core::{Error, ErrorKind};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::Kafka;
use crate::cluster::Cluster;
use crate::places::{Places, bounds, places};
use crate::{error, retry_topics};

/// How far `group` is behind.
pub(super) async fn lag(kafka: &Kafka, group: &str) -> Result<Vec<Lag>, Error> {
    let cluster = &kafka.inner.cluster;
    let doing = format!("asking for the lag of group `{group}` of {}", cluster.config.describe());
    let committed = committed(cluster, group, &doing).await?;
    let mut topics = topics_of(kafka, group, &committed, &doing)?;
    for topic in retry_topics::topics(group) {
        // The group has no position there before the first of what waits is due.
        if !topics.contains(&topic) && cluster.exists(&topic).await? {
            topics.push(topic);
        }
    }
    let bounds = bounds(cluster, &topics).await?;
    let behind = |((topic, partition), (first, next)): ((String, i32), (i64, i64))| {
        let place = (topic, partition);
        let position = committed.get(&place).copied().unwrap_or(first).max(first);
        let events = next.saturating_sub(position).max(0).unsigned_abs();
        Lag { topic: place.0, partition: partition.unsigned_abs(), events }
    };
    Ok(bounds.into_iter().map(behind).collect())
}

/// Sends `group` to `start`.
pub(super) async fn seek(kafka: &Kafka, group: &str, start: &Start) -> Result<(), Error> {
    let cluster = &kafka.inner.cluster;
    let doing = format!("sending group `{group}` of {} to another place", cluster.config.describe());
    let committed = committed(cluster, group, &doing).await?;
    let topics = topics_of(kafka, group, &committed, &doing)?;
    let read: Vec<String> =
        topics.into_iter().filter(|topic| !topic.starts_with(&format!("{group}.retry-"))).collect();
    let places = places(cluster, &read, start).await?;
    let own = kafka.members(Some(group));
    let all = members(cluster, group, &doing).await?;
    if all > own.len() {
        let what = format!(
            "{doing}: {} of its members are elsewhere, and would go on where they are; stop them first",
            all - own.len()
        );
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    if own.is_empty() {
        return commit(cluster, group, places, &doing).await;
    }
    let seeking: Vec<_> = own.iter().map(|member| member.seek(places.clone())).collect();
    for sought in seeking {
        match sought.await {
            Ok(result) => result.map_err(|error| error::client(&doing, error))?,
            Err(_) => return Err(Error::new(ErrorKind::Closed, format!("{doing}: it has left meanwhile"))),
        }
    }
    Ok(())
}

/// Gives a group that has no members its first positions, where it has none: whichever of its members then gets a partition
/// begins there.
pub(crate) async fn begin(cluster: &Cluster, group: &str, starts: &Places) -> Result<(), Error> {
    let doing = format!("giving group `{group}` of {} its first positions", cluster.config.describe());
    if members(cluster, group, &doing).await? > 0 {
        return Ok(());
    }
    let (observer, starts) = (cluster.observer_of(group)?, starts.clone());
    let missing = cluster.ask(&doing, move |_, limit| {
        let mut missing = starts.clone();
        let mut partitions = TopicPartitionList::new();
        for (topic, partition) in missing.keys() {
            partitions.add_partition(topic, *partition);
        }
        for element in observer.committed_offsets(partitions, limit)?.elements() {
            element.error()?;
            if let Offset::Offset(_) = element.offset() {
                missing.remove(&(element.topic().to_owned(), element.partition()));
            }
        }
        Ok(missing)
    });
    match missing.await? {
        missing if missing.is_empty() => Ok(()),
        // Where somebody has joined meanwhile, it is that member's to commit.
        missing => {
            if let Err(error) = commit(cluster, group, missing, &doing).await {
                tracing::debug!(group, %error, "the first positions are left to the first member");
            }
            Ok(())
        }
    }
}

/// The positions of `group` in all topics.
async fn committed(cluster: &Cluster, group: &str, doing: &str) -> Result<Places, Error> {
    let observer = cluster.observer_of(group)?;
    let found = cluster.ask(doing, move |all, limit| {
        let metadata = all.fetch_metadata(None, limit)?;
        let mut partitions = TopicPartitionList::new();
        for topic in metadata.topics().iter().filter(|topic| !topic.name().starts_with("__")) {
            for partition in topic.partitions() {
                partitions.add_partition(topic.name(), partition.id());
            }
        }
        let committed = observer.committed_offsets(partitions, limit)?;
        committed.elements().iter().try_for_each(|element| element.error())?;
        let place =
            |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset() {
                Offset::Offset(offset) => Some(((element.topic().to_owned(), element.partition()), offset)),
                _ => None,
            };
        Ok(committed.elements().iter().filter_map(place).collect::<BTreeMap<_, _>>())
    });
    found.await
}

/// The topics that `group` reads, as far as positions and members of this connection tell.
fn topics_of(kafka: &Kafka, group: &str, committed: &Places, doing: &str) -> Result<Vec<String>, Error> {
    let mut topics: Vec<String> = committed.keys().map(|(topic, _)| topic.clone()).collect();
    for member in kafka.members(Some(group)) {
        topics.extend(member.topics.iter().cloned());
    }
    topics.sort_unstable();
    topics.dedup();
    if topics.is_empty() {
        return Err(Error::config(format!(
            "{doing}: it has no members here and no position anywhere; check its name"
        )));
    }
    Ok(topics)
}

/// How many members `group` has in all.
async fn members(cluster: &Cluster, group: &str, doing: &str) -> Result<usize, Error> {
    let name = group.to_owned();
    let count = cluster.ask(doing, move |observer, limit| {
        let groups = observer.fetch_group_list(Some(&name), limit)?;
        let found = groups.groups().iter().find(|found| found.name() == name);
        Ok(found.map_or(0, |found| found.members().len()))
    });
    count.await
}

/// Sets the positions of a group that has no members.
async fn commit(cluster: &Cluster, group: &str, places: Places, doing: &str) -> Result<(), Error> {
    let observer = cluster.observer_of(group)?;
    cluster
        .ask(doing, move |_, _| {
            let mut offsets = TopicPartitionList::new();
            for ((topic, partition), offset) in &places {
                offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
            }
            observer.commit(&offsets, CommitMode::Sync)
        })
        .await
}
