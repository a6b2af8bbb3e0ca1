//! The topics of a store: what they are called, and that they keep everything.

use std::collections::HashMap;

use jitney_core::admin::TopicSpec;
use jitney_core::{Error, ErrorKind};

use crate::cluster::Cluster;

/// What topics of events must be set to: whatever is taken out of one is lost to its aggregates.
const KEEPS_EVENTS: [(&str, &str); 4] = [
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("cleanup.policy", "delete"),
    ("unclean.leader.election.enable", "false"),
];

/// What the topic of snapshots must be set to: the newest of a stream is kept.
const KEEPS_SNAPSHOTS: [(&str, &str); 1] = [("cleanup.policy", "compact")];

/// In how many partitions topics are made where nothing else is said. They cannot grow.
const PARTITIONS: u32 = 12;

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Events,
    Snapshots,
}

impl Use {
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Use::Events => &KEEPS_EVENTS,
            Use::Snapshots => &KEEPS_SNAPSHOTS,
        }
    }
}

/// Sees to it that topics are there and keep what they must, and answers how many partitions each has.
pub(super) async fn verify(cluster: &Cluster, topics: &[(String, Use)]) -> Result<Vec<u32>, Error> {
    let mut partitions = Vec::with_capacity(topics.len());
    let mut missing = Vec::new();
    for (topic, used_for) in topics {
        let shape = cluster.shape_of(topic).await?;
        if shape.is_none() {
            missing.push((topic, *used_for));
        }
        partitions.push(shape.map_or(0, |shape| shape.partitions));
    }
    make(cluster, &missing).await?;
    for ((topic, _), partitions) in topics.iter().zip(&mut partitions) {
        if *partitions == 0 {
            let shape = cluster.shape_of(topic).await?;
            *partitions = shape.map(|shape| shape.partitions).ok_or_else(|| {
                let what =
                    format!("opening the event store: topic `{topic}` was made and is not there; try again");
                Error::new(ErrorKind::Transport, what)
            })?;
        }
    }
    // Those that were missing too: another process may have made one meanwhile, in its own way.
    let names: Vec<&str> = topics.iter().map(|(topic, _)| topic.as_str()).collect();
    let settings = cluster.settings(&names).await?;
    for ((topic, used_for), settings) in topics.iter().zip(&settings) {
        check(cluster, topic, *used_for, settings)?;
    }
    Ok(partitions)
}

/// Makes topics, where that is allowed.
async fn make(cluster: &Cluster, missing: &[(&String, Use)]) -> Result<(), Error> {
    if let ([(first, used_for), ..], false) = (missing, cluster.config.create_topics) {
        let settings: Vec<_> =
            used_for.settings().iter().map(|(name, value)| format!("--config {name}={value}")).collect();
        let settings = settings.join(" ");
        let what = format!(
            "opening the event store in {cluster}: topic `{first}` does not exist: create it (`kafka-topics.sh --create --topic \
             {first} --partitions {PARTITIONS} {settings}`), or let missing topics be made: {cluster}/?create_topics=true",
            cluster = cluster.config.describe(),
        );
        return Err(Error::config(what));
    }
    let count = cluster.config.partitions.unwrap_or(PARTITIONS);
    for wanted in [Use::Events, Use::Snapshots] {
        let of_use = missing.iter().filter(|(_, used_for)| *used_for == wanted);
        let specs: Vec<_> =
            of_use.map(|(topic, _)| TopicSpec::new(topic.as_str()).partitions(count)).collect();
        if !specs.is_empty() {
            cluster.create(&specs, wanted.settings()).await?;
        }
    }
    Ok(())
}

fn check(
    cluster: &Cluster,
    topic: &str,
    used_for: Use,
    settings: &HashMap<String, String>,
) -> Result<(), Error> {
    for (name, wanted) in used_for.settings() {
        let found = settings.get(*name).map_or("nothing", String::as_str);
        if found != *wanted {
            let what = format!(
                "opening the event store in {}: topic `{topic}` has `{name}={found}`, and an event store needs `{wanted}`: \
                 `kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {name}={wanted}`",
                cluster.config.describe(),
            );
            return Err(Error::config(what));
        }
    }
    Ok(())
}

/// Refuses aggregate types and prefixes that cannot be part of a topic's name.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), Error> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.len() <= 200 && name.chars().all(is_plain) {
        return Ok(());
    }
    let what = format!(
        "opening an event store on kafka: the {what} `{name}` names topics, which have letters, digits, `.`, `_` and `-` only, \
         and no more than 249"
    );
    Err(Error::config(what))
}
