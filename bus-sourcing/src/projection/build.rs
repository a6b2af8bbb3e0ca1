//! Builds: the read model that readers see, and one that is being made to take its place.

use jiff::Timestamp;
use jitney_core::outbox::Shard;
use serde::{Deserialize, Serialize};

use super::Stopped;
use crate::{Position, StoredEvent};

/// Which build of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BuildState {
    /// Readers see it.
    Live,
    /// It is being made beside the live one.
    Next,
}

/// A build, as it was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuildId {
    /// The name of the projection.
    pub projection: String,
    /// The number of the build, which no other build of the projection ever had.
    pub number: u64,
    /// Where its tables are.
    pub state: BuildState,
}

/// What is known of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Build {
    /// Which one it is.
    pub id: BuildId,
    /// The [version](super::Projection::version) of the projection that makes it.
    pub version: u32,
    /// Whether it was [paused](super::ProjectionHandle::pause).
    pub paused: bool,
    /// Whether it is kept up by the appends themselves, and no projector is to work on it. Its shards are where the store ends.
    pub inline: bool,
    /// Events up to here were there before the projection was: nobody is told of them.
    pub live_from: Position,
    /// Its shards, by their numbers.
    pub shards: Vec<ShardState>,
}

/// How far a shard is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShardState {
    /// Everything of its streams up to here is in the read model.
    pub position: Position,
    /// How many events it has handled.
    pub handled: u64,
    /// When the last event that it has handled was recorded.
    #[serde(with = "millis")]
    pub last_time: Option<Timestamp>,
    /// Counts its owners: only the last one can move the checkpoint.
    pub epoch: u64,
    /// The worker that has it.
    pub owner: Option<String>,
    /// Why it has stopped, where it has.
    pub stopped: Option<Stopped>,
}

/// A build that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBuild {
    /// The name of the projection.
    pub projection: String,
    /// What it is to be. A new next one takes the place of another next one of a lower version.
    pub state: BuildState,
    /// The version of the projection.
    pub version: u32,
    /// Into how many shards its streams are parted.
    pub shards: u16,
    /// Nobody is told of events up to here.
    pub live_from: Position,
}

/// Where a build is live from whose events come by a bus: no place of a store.
pub(super) fn from_bus() -> Position {
    Position::offsets([("bus", 1)])
}

impl Build {
    /// What is known of a build without its shards, which is not inline.
    pub fn new(id: BuildId, version: u32, paused: bool, live_from: Position) -> Self {
        Build { id, version, paused, inline: false, live_from, shards: Vec::new() }
    }

    /// Whether its events come [by a bus](super::BusProjector). It has one shard then, which stays at the start: what it has
    /// handled is marked by event.
    pub fn is_from_bus(&self) -> bool {
        self.live_from == from_bus()
    }

    /// Whether every shard has come to `position`.
    pub fn has_reached(&self, position: &Position) -> bool {
        !self.shards.is_empty() && self.shards.iter().all(|shard| shard.position.has_reached(position))
    }

    /// What the shard `number` of a build with `shards` shards may not pass, so as not to overtake this one: where the shard
    /// with the same streams is, or where all of them are.
    pub(super) fn ceiling(&self, number: u16, shards: usize) -> Vec<Position> {
        let all = self.shards.iter().enumerate();
        all.filter(|(index, _)| self.shards.len() != shards || *index == usize::from(number))
            .map(|(_, shard)| shard.position.clone())
            .collect()
    }

    /// Whether `event` was handled in this build.
    pub(super) fn has_handled(&self, event: &StoredEvent) -> bool {
        let shard = shard_of(event, self.shards.len());
        self.shards.get(usize::from(shard)).is_some_and(|shard| shard.position.has_reached(event.position()))
    }
}

impl ShardState {
    /// A shard before every event, which nobody has.
    pub fn new() -> Self {
        ShardState {
            position: Position::START,
            handled: 0,
            last_time: None,
            epoch: 0,
            owner: None,
            stopped: None,
        }
    }
}

impl Default for ShardState {
    fn default() -> Self {
        ShardState::new()
    }
}

/// The shard, of `shards`, that the events of a stream are in: that of the aggregate's id, so that what belongs to one id is
/// in one shard whatever the type.
pub(super) fn shard_of(event: &StoredEvent, shards: usize) -> u16 {
    match u16::try_from(shards) {
        Ok(shards @ 2..) => Shard::of(&event.head().aggregate_id).number() % shards,
        _ => 0,
    }
}

/// A time in whole milliseconds since 1970, as those of events are.
mod millis {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        time.map(Timestamp::as_millisecond).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let millis = Option::<i64>::deserialize(from)?;
        Ok(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
    }
}
