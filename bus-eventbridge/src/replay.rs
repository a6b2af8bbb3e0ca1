//! Sending a group what the bus's archive has kept.
//!
//! EventBridge replays by whole seconds (and an archive's clock is not ours): a replay begins a second early, and its name says
//! in milliseconds what is wanted. What is older is deleted as it comes out of the queue.

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::ReplayDestination;
use jiff::Timestamp;
use jitney_core::message::Message;
use jitney_core::transport::Start;
use jitney_core::{Env, Error, ErrorKind};

use crate::bus::Bus;
use crate::error;
use crate::inbound::REPLAY_HEADER;

/// What the names of our replays begin with.
const PREFIX: &str = "jitney-";

/// The archive of a bus.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    name: String,
    arn: String,
    /// Nothing in it is older.
    created: Timestamp,
}

impl Archive {
    /// The archive `name` of `bus`, made where it is missing and may be.
    pub(crate) async fn open(bus: &Bus, name: &str, create: bool, env: &Env) -> Result<Self, Error> {
        let doing = format!("opening archive `{name}` of {}", bus.url);
        let client = &bus.clients.events;
        match client.describe_archive().archive_name(name).send().await {
            Ok(found) => {
                if let Some(other) = found.event_source_arn().filter(|arn| *arn != bus.arn) {
                    return Err(Error::config(format!(
                        "{doing}: it is the archive of `{other}`; name another one with `archive=…`"
                    )));
                }
                let created = found.creation_time().and_then(|time| Timestamp::from_second(time.secs()).ok());
                Ok(Archive {
                    name: name.to_owned(),
                    arn: bus.archive_arn(name),
                    created: created.unwrap_or_default(),
                })
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                if !create {
                    return Err(Error::config(format!(
                        "{doing}: it does not exist; create it for the bus, or let it be made with `create=true`"
                    )));
                }
                let made = client.create_archive().archive_name(name).event_source_arn(&bus.arn).send().await;
                match made {
                    Ok(_) => {}
                    Err(error)
                        if error
                            .as_service_error()
                            .is_some_and(|error| error.is_resource_already_exists_exception()) => {}
                    Err(error) => return Err(error::failed(&doing, &error)),
                }
                Ok(Archive { name: name.to_owned(), arn: bus.archive_arn(name), created: env.now() })
            }
            Err(error) => Err(error::failed(&doing, &error)),
        }
    }

    /// Has everything from `start` on delivered again to the rules of `group`.
    pub(crate) async fn replay(
        &self,
        bus: &Bus,
        (group, rules): (&str, &[String]),
        start: Timestamp,
        env: &Env,
    ) -> Result<(), Error> {
        let start = start.max(self.created);
        let now = env.now();
        if start >= now {
            return Ok(());
        }
        let name = format!("{PREFIX}{}-{:016x}", start.as_millisecond(), env.random());
        let destination = ReplayDestination::builder().arn(&bus.arn).set_filter_arns(Some(rules.to_vec()));
        let doing = format!("replaying archive `{}` of {} to group `{group}`", self.name, bus.url);
        let destination = destination
            .build()
            .map_err(|error| Error::new(ErrorKind::Transport, doing.clone()).with_source(error))?;
        let begin = start.as_second() - 1;
        let request = bus.clients.events.start_replay().replay_name(&name).event_source_arn(&self.arn);
        let request = request
            .event_start_time(DateTime::from_secs(begin))
            .event_end_time(DateTime::from_secs(now.as_second().max(begin + 1)))
            .destination(destination);
        request.send().await.map_err(|error| error::failed(&doing, &error))?;
        tracing::info!(group, replay = name, "a replay has begun");
        Ok(())
    }

    /// The time that `start` means, where it means one.
    pub(crate) fn time_of(&self, start: &Start) -> Option<Timestamp> {
        match start {
            Start::Time(time) => Some(*time),
            Start::Earliest => Some(self.created),
            Start::Latest | Start::Positions(_) => None,
        }
    }
}

/// Whether a replay has brought `message` that was to bring only what is newer.
pub(crate) fn is_too_old(message: &Message) -> bool {
    let name = message.header_str(REPLAY_HEADER).and_then(|name| name.strip_prefix(PREFIX));
    let start = name.and_then(|rest| rest.split('-').next()?.parse().ok());
    let start = start.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    start.is_some_and(|start| message.time < start)
}

#[cfg(test)]
mod tests {
    use jitney_core::message::Header;

    use super::*;

    #[test]
    fn what_is_older_than_wanted_is_told_by_the_name_of_the_replay() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let message = |time, replay: &'static str| Message {
            topic: "t".into(),
            key: None,
            headers: vec![Header::new(REPLAY_HEADER, replay)],
            time: at(time),
            body: "{}".into(),
        };
        assert!(is_too_old(&message(1_999, "jitney-2000-00ff")));
        assert!(!is_too_old(&message(2_000, "jitney-2000-00ff")));
        for others in ["jitney-", "jitney-x-1", "somebody-2000-1", "jitney-99999999999999999999-1"] {
            assert!(!is_too_old(&message(1_999, others)), "{others}");
        }
    }
}
