//! Topics, lag, replay and dead letters.

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::dead_letter::{self, DeadLetter};
use jitney_core::message::Message;
use jitney_core::transport::{Mode, PartitionPosition, Start, Subscription};

use crate::state::Locked;
use crate::topic::Topic;
use crate::{Memory, Semantics, error};

#[async_trait]
impl Admin for Memory {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        self.shared.with(|locked| topics.iter().try_for_each(|spec| ensure(locked, spec, self.semantics())))
    }

    async fn ensure_groups(&self, groups: &[Subscription]) -> Result<(), Error> {
        let mut lasting = groups.iter().filter(|group| group.mode == Mode::Competing);
        self.shared.with(|locked| lasting.try_for_each(|group| locked.ensure_group(group).map(drop)))
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let is_joined = self.shared.with(|locked| locked.has_members(group));
        if is_joined {
            return Err(error::has_members(group));
        }
        self.forget_group(group);
        Ok(())
    }

    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error> {
        self.lag_of(group).ok_or_else(|| error::no_group(group, "asking for the lag of a group"))
    }

    async fn seek(&self, group: &str, start: Start) -> Result<(), Error> {
        let doing = format!("sending group `{group}` to another place");
        match (self.semantics(), &start) {
            (Semantics::RabbitMq, _) => {
                return Err(error::unsupported(
                    Semantics::RabbitMq,
                    &doing,
                    "a queue keeps nothing that is settled",
                ));
            }
            (Semantics::EventBridge, Start::Positions(_)) => {
                let instead = "an archive is read by time: use `Start::Time`";
                return Err(error::unsupported(Semantics::EventBridge, &doing, instead));
            }
            _ => {}
        }
        self.shared.with(|locked| {
            let groups = locked.groups_called(group);
            if groups.is_empty() {
                return Err(error::no_group(group, &doing));
            }
            if let Start::Positions(places) = &start {
                places.iter().try_for_each(|place| check_place(locked, &groups, place, &doing))?;
            }
            for index in groups {
                if let Some((group, mut cx)) = locked.group(index) {
                    group.seek(&start, &mut cx);
                }
            }
            Ok(())
        })
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        let letters = self.messages(&dead_letter::topic(group));
        Ok(letters.iter().take(limit).map(|letter| Message::clone(letter)).collect())
    }

    async fn store_dead_letter(&self, letter: &DeadLetter) -> Result<(), Error> {
        self.shared.store_dead_letter(&self.connection, letter).await
    }
}

fn ensure(locked: &mut Locked<'_>, spec: &TopicSpec, semantics: Semantics) -> Result<(), Error> {
    let TopicSpec { name, partitions, retention, .. } = spec;
    if *partitions == Some(0) {
        return Err(Error::config(format!(
            "making topic `{name}`: it must have at least one partition, not 0"
        )));
    }
    let Some(topic) = locked.state.topics.find(name) else {
        locked.create_topic(name, *partitions, *retention);
        return Ok(());
    };
    let there = locked.state.topics.get(topic).partitions.len();
    match partitions {
        Some(wanted) if semantics.is_log() && *wanted as usize != there => Err(Error::config(format!(
            "making topic `{name}` in {wanted} partitions: it exists with {there}; ask for {there}, or use another name"
        ))),
        _ => Ok(()),
    }
}

fn check_place(
    locked: &Locked<'_>,
    groups: &[usize],
    place: &PartitionPosition,
    doing: &str,
) -> Result<(), Error> {
    let PartitionPosition { topic: name, partition, position } = place;
    let topics = &locked.state.topics;
    let topic = topics.find(name).map(|index| topics.get(index));
    let is_read = |topic: &&Topic| topic.readers.iter().any(|reader| groups.contains(&reader.group));
    let Some(topic) = topic.filter(is_read) else {
        return Err(Error::config(format!(
            "{doing}: a place in topic `{name}` is named, and the group does not read that topic; \
             name topics that it reads"
        )));
    };
    let Some(log) = topic.partitions.get(*partition as usize) else {
        return Err(Error::config(format!(
            "{doing}: a place in partition {partition} of topic `{name}` is named, and its last partition is {}",
            topic.partitions.len() - 1,
        )));
    };
    let (start, end) = (log.start(), log.end());
    if position.0 < start {
        return Err(Error::config(format!(
            "{doing}: position {position} of topic `{name}`, partition {partition}, is no longer there; \
             it holds {start} to {end}: use `Start::Earliest`, or a larger `history`"
        )));
    }
    Ok(())
}
