//! Writing: to the writer of the partition, and back with its answer.

use std::sync::{Arc, PoisonError};

use jitney_sourcing::{Append, Appended, Error, ErrorKind, Expected, StreamAppended, StreamId, StreamState};

use super::claim::{Command, Request};
use super::log::Log;
use super::ownership::{Membership, Owner, Ownership};
use super::place::Follower;
use super::{KafkaStore, Type, failure, wire};
use crate::config::Role;

/// How many signs of life a process gives within a session time-out: it hears as often whether the group shares out anew.
const SIGNS_PER_SESSION: u128 = 15;

/// The longest time that the group waits for a member while it shares out partitions, in milliseconds.
const JOIN_WITHIN: u128 = 30_000;

impl KafkaStore {
    pub(super) async fn store(&self, append: Append) -> Result<Appended, Error> {
        append.check()?;
        for part in append.streams() {
            part.events.iter().try_for_each(|event| wire::check(&part.stream, event))?;
        }
        let (of_type, log) = self.place_of(&append).await?;
        let doing = match append.streams() {
            [part] => format!("appending to stream {}", part.stream),
            parts => format!("appending to {} streams", parts.len()),
        };
        let parts = self.write(&doing, of_type, log, Request::Append(append)).await?;
        // What was read so far, in which the events of this append are.
        let offsets: Vec<u64> = self.inner.logs.iter().map(|log| log.place().position()).collect();
        Ok(Appended::new(parts, self.position_of(&offsets)))
    }

    pub(super) async fn change(
        &self,
        stream: &StreamId,
        expected: Expected,
        state: StreamState,
    ) -> Result<(), Error> {
        let (of_type, log) = self.locate(stream).await?;
        let request = Request::Change { id: self.env().new_id(), stream: stream.clone(), expected, state };
        self.write(&format!("changing the state of stream {stream}"), of_type, log, request).await.map(drop)
    }

    /// Where the streams of an append are, which is one partition.
    async fn place_of(&self, append: &Append) -> Result<(&Type, &Arc<Log>), Error> {
        let mut place: Option<(StreamId, &Type, &Arc<Log>)> = None;
        for part in append.streams() {
            let (of_type, log) = self.locate(&part.stream).await?;
            match place {
                None => place = Some((part.stream.clone(), of_type, log)),
                Some((ref first, _, known)) if !Arc::ptr_eq(known, log) => {
                    let what = format!(
                        "appending to streams {first} and {}: they are on the partitions {} and {}, and one append is for streams of \
                         one partition; append to one after the other",
                        part.stream,
                        known.place().name,
                        log.place().name,
                    );
                    return Err(Error::new(ErrorKind::Unsupported, what));
                }
                Some(_) => {}
            }
        }
        let nothing = || Error::new(ErrorKind::Invalid, "appending: no stream is named; name one");
        place.map(|(_, of_type, log)| (of_type, log)).ok_or_else(nothing)
    }

    /// Has the writer of a partition do what is asked, and waits for its answer.
    async fn write(
        &self,
        doing: &str,
        of_type: &Type,
        log: &Arc<Log>,
        request: Request,
    ) -> Result<Vec<StreamAppended>, Error> {
        let (env, place) = (self.env(), log.place());
        let deadline = env.instant() + self.inner.answer_within;
        let ownership = self.ownership(of_type).map_err(|error| failure::of_cluster(doing, error))?;
        let mut changed = ownership.subscribe();
        let queue = loop {
            match ownership.owner(place.partition) {
                Owner::Us(queue) => break queue,
                Owner::Another => return Err(failure::not_owner(doing, &place.name, ownership.group())),
                Owner::NotSaid(trouble) => {
                    if env.timeout_at(deadline, changed.changed()).await.is_err() {
                        let trouble = trouble.map(|trouble| format!(" ({trouble})")).unwrap_or_default();
                        let what = format!(
                            "{doing}: group `{}` has not said within {:?} who writes to partition {}{trouble}; try again",
                            ownership.group(),
                            self.inner.answer_within,
                            place.name,
                        );
                        return Err(Error::new(ErrorKind::NotOwner, what));
                    }
                }
            }
        };
        let (command, claim, answered) = Command::new(request);
        if queue.push(command).is_err() {
            return Err(failure::not_owner(doing, &place.name, ownership.group()));
        }
        match env.timeout_at(deadline, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::new(
                ErrorKind::Unknown,
                format!("{doing}: its writer has ended; append again under the same ids"),
            )),
            Err(_) => {
                let trouble = queue.trouble().map(|trouble| format!(": {trouble}")).unwrap_or_default();
                let (kind, known) = match claim.give_up() {
                    true => (ErrorKind::Store, "nothing was stored; try again"),
                    false => (
                        ErrorKind::Unknown,
                        "it is not known whether it is stored; append again under the same ids",
                    ),
                };
                let limit = self.inner.answer_within;
                Err(Error::new(
                    kind,
                    format!(
                        "{doing}: partition {} did not answer within {limit:?}, {known}{trouble}",
                        place.name
                    ),
                ))
            }
        }
    }

    /// The membership by which partitions of a type become ours, joined where that was not done yet.
    fn ownership(&self, of_type: &Type) -> Result<Arc<Ownership>, jitney_core::Error> {
        let mut known = of_type.ownership.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let cluster = &self.inner.cluster;
        let topic = of_type.logs.first().map_or("", |log| &*log.place().topic);
        let group = format!("{}.{topic}", self.inner.name);
        let role = Role::Member { group: group.clone(), instance: cluster.config.instance_id.clone() };
        let mut settings = cluster.config.native(&role, &self.inner.name);
        settings.set("auto.offset.reset", "latest");
        let session = self.inner.session_timeout.as_millis();
        for (name, millis) in [
            ("session.timeout.ms", session),
            ("heartbeat.interval.ms", session / SIGNS_PER_SESSION),
            ("max.poll.interval.ms", JOIN_WITHIN.max(session)),
        ] {
            if !cluster.config.native.0.contains_key(name) {
                settings.set(name, millis.to_string());
            }
        }
        let joined = Ownership::join(Membership {
            cluster: Arc::clone(cluster),
            service: self.inner.name.clone(),
            group,
            settings,
            onlooker: Arc::new(cluster.onlooker()?),
            logs: of_type.logs.clone(),
        })?;
        Ok(Arc::clone(known.insert(Arc::new(joined))))
    }
}
