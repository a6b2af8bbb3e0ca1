//! What the read models of all databases have in common: rows as builds.

use jiff::Timestamp;
use jitney_core::outbox::{Shard, Share};
use jitney_sourcing::projection::{
    Build, BuildId, BuildState, PassedEvent, PoisonEvent, ShardLease, ShardState, Stopped,
};
use jitney_sourcing::{Error, ErrorKind, Position};
use serde::Serialize;

/// A shard with its build: build, state, version, paused, inline, live from, position, handled, time of the last event,
/// epoch, worker, why it has stopped.
pub(crate) type ShardRow =
    (i64, i64, i64, bool, bool, String, String, i64, Option<i64>, i64, Option<String>, Option<String>);

/// A shard that a worker has: number, epoch, position, why it has stopped.
pub(crate) type LeaseRow = (i64, i64, String, Option<String>);

/// The number of a state in a column.
pub(crate) fn number(state: BuildState) -> i16 {
    match state {
        BuildState::Live => 0,
        _ => 1,
    }
}

/// The builds of `rows`, which are in the order of the builds and of their shards.
pub(crate) fn builds(projection: &str, rows: Vec<ShardRow>) -> Result<Vec<Build>, Error> {
    let mut builds = Vec::<Build>::new();
    for row in rows {
        let (build, state, version, paused, inline, live_from, place, handled, time, epoch, owner, stopped) =
            row;
        let number = build.unsigned_abs();
        if builds.last().is_none_or(|last| last.id.number != number) {
            let state = if state == 0 { BuildState::Live } else { BuildState::Next };
            let id = BuildId { projection: projection.to_owned(), number, state };
            let version = u32::try_from(version).unwrap_or(u32::MAX);
            let mut build = Build::new(id, version, paused, position(projection, &live_from)?);
            build.inline = inline;
            builds.push(build);
        }
        let mut shard = ShardState::new();
        shard.position = position(projection, &place)?;
        shard.handled = handled.unsigned_abs();
        shard.last_time = time.and_then(|time| Timestamp::from_millisecond(time).ok());
        shard.epoch = epoch.unsigned_abs();
        shard.owner = owner;
        shard.stopped = stopped.map(|text| self::stopped(projection, &text)).transpose()?;
        if let Some(build) = builds.last_mut() {
            build.shards.push(shard);
        }
    }
    Ok(builds)
}

/// The lease of a row.
pub(crate) fn lease(projection: &str, row: LeaseRow) -> Result<ShardLease, Error> {
    let (shard, epoch, place, stopped) = row;
    Ok(ShardLease {
        shard: u16::try_from(shard).unwrap_or(u16::MAX),
        epoch: epoch.unsigned_abs(),
        position: position(projection, &place)?,
        stopped: stopped.map(|text| self::stopped(projection, &text)).transpose()?,
    })
}

/// The share of `worker` in the `shards` of a build, which are held by workers that are alive as `held` says.
pub(crate) fn share(shards: usize, worker: &str, workers: i64, held: &[(i64, String)]) -> Share {
    let held = held
        .iter()
        .filter_map(|(number, worker)| Some((Shard::from_number(u16::try_from(*number).ok()?)?, &**worker)));
    let shards = u16::try_from(shards).unwrap_or(u16::MAX);
    Share::among(shards, worker, usize::try_from(workers).unwrap_or(1), held)
}

/// What is still missing of a gap, from which sequence to which one, when `sequence` in it has come.
pub(crate) fn left_of_gap((from, to): (i64, i64), sequence: i64) -> impl Iterator<Item = (i64, i64)> {
    [(from, sequence - 1), (sequence + 1, to)].into_iter().filter(|(from, to)| from <= to)
}

/// The record of a row: the event, and whether it was skipped.
pub(crate) fn passed(projection: &str, (event, skipped): (String, bool)) -> Result<PassedEvent, Error> {
    Ok(PassedEvent::new(poison(projection, &event)?, skipped))
}

/// An event, or why a shard has stopped, as the text of a column.
pub(crate) fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers can be written as JSON")
}

fn poison(projection: &str, text: &str) -> Result<PoisonEvent, Error> {
    serde_json::from_str(text).map_err(|error| damaged(projection, "an event that it has passed", error))
}

pub(crate) fn stopped(projection: &str, text: &str) -> Result<Stopped, Error> {
    serde_json::from_str(text).map_err(|error| damaged(projection, "what it has stopped at", error))
}

fn position(projection: &str, text: &str) -> Result<Position, Error> {
    text.parse().map_err(|error| damaged(projection, "a position", error))
}

fn damaged(projection: &str, what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let what = format!(
        "looking at projection `{projection}`: {what} is not as this library writes it; look at the row, or rebuild it"
    );
    Error::new(ErrorKind::Decode, what).with_source(error)
}
