//! How far a projection is.

use std::time::Duration;

use super::{Build, BuildState};
use crate::{Error, ErrorKind, EventStore, Filter, Position};
use jiff::Timestamp;

/// Beyond so many, events that wait for a projection are not counted.
pub(super) const MOST_COUNTED: usize = 10_000;

/// One step of a shard, as [`on_progress`](super::Projector::on_progress) is told of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Which build it is of.
    pub state: BuildState,
    /// The number of the shard.
    pub shard: u16,
    /// Where the shard is.
    pub position: Position,
    /// How many events this projector has handled in the shard since it has it.
    pub handled: u64,
    /// How many of them a second.
    pub rate: f64,
    /// How many events the shard has in the live build, where this is the next one: what a bar counts up to.
    pub of: Option<u64>,
}

/// How far a projection is, and how far behind its store.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProjectionStatus {
    /// The live build, where there is one, and then the next one, where there is one.
    pub builds: Vec<Build>,
    /// How far the live build is behind; none where the store has something that it cannot read, at which shards then
    /// [stop](super::Stopped::Reading).
    pub lag: Option<ProjectionLag>,
}

/// How far a projection is behind its store: what its hindmost shard has not handled, of all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProjectionLag {
    /// Events that can be read and are not handled; 10,000 where there are more.
    pub events: u64,
    /// For how long the oldest of them has been recorded; zero where there is none.
    pub age: Duration,
}

impl ProjectionLag {
    /// How far `build` is behind `store`, where that can be read.
    pub(super) async fn of(
        store: &dyn EventStore,
        filter: &Filter,
        build: &Build,
        now: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let mut lag = ProjectionLag::default();
        // Shards at the end are all at one place.
        let mut looked_at = Vec::new();
        for shard in &build.shards {
            if looked_at.contains(&&shard.position) {
                continue;
            }
            looked_at.push(&shard.position);
            let backlog = match store.backlog(&shard.position, filter, MOST_COUNTED).await {
                Err(error) if !error.is_retryable() && error.kind() != ErrorKind::Closed => return Ok(None),
                backlog => backlog?,
            };
            lag.events = lag.events.max(backlog.events);
            let age = backlog.oldest.map(|oldest| now.duration_since(oldest));
            lag.age = lag.age.max(age.and_then(|age| age.try_into().ok()).unwrap_or_default());
        }
        Ok(Some(lag))
    }

    pub(super) fn publish(self, projection: &str) {
        let name = || projection.to_owned();
        metrics::gauge!("jitney_projection_lag_events", "projection" => name()).set(self.events as f64);
        metrics::gauge!("jitney_projection_lag_seconds", "projection" => name()).set(self.age.as_secs_f64());
    }
}
