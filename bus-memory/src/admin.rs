//! Topics, lag, replay and dead letters.

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::dead_letter;
use jitney_core::message::Message;
use jitney_core::transport::Start;

use crate::state::Locked;
use crate::{Memory, Semantics, error};

#[async_trait]
impl Admin for Memory {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        self.shared.with(|locked| topics.iter().try_for_each(|spec| ensure(locked, spec, self.semantics())))
    }

    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error> {
        self.lag_of(group).ok_or_else(|| error::no_group(group, "asking for the lag of a group"))
    }

    async fn seek(&self, group: &str, start: Start) -> Result<(), Error> {
        let doing = format!("sending group `{group}` to another place");
        match (self.semantics(), start) {
            (Semantics::RabbitMq, _) => {
                return Err(error::unsupported(
                    Semantics::RabbitMq,
                    &doing,
                    "a queue keeps nothing that is settled",
                ));
            }
            (Semantics::EventBridge, Start::Position(_)) => {
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
            if let Start::Position(position) = start {
                check_position(locked, &groups, position.0, &doing)?;
            }
            for index in groups {
                if let Some((group, mut cx)) = locked.group(index) {
                    group.seek(start, &mut cx);
                }
            }
            Ok(())
        })
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        let letters = self.messages(&dead_letter::topic(group));
        Ok(letters.iter().take(limit).map(|letter| Message::clone(letter)).collect())
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

fn check_position(locked: &Locked<'_>, groups: &[usize], position: u64, doing: &str) -> Result<(), Error> {
    let topics = &locked.state.topics;
    for topic in
        topics.iter().filter(|topic| topic.readers.iter().any(|reader| groups.contains(&reader.group)))
    {
        for (partition, log) in topic.partitions.iter().enumerate() {
            let (start, end, name) = (log.start(), log.end(), &topic.name);
            if position < start {
                return Err(Error::config(format!(
                    "{doing}: position {position} of topic `{name}`, partition {partition}, is no longer there; \
                     it holds {start} to {end}: use `Start::Earliest`, or a larger `history`"
                )));
            }
        }
    }
    Ok(())
}
