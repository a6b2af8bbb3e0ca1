//! Inline projections in the transaction of an append.

use jitney_sourcing::projection::InlineProjection;
use jitney_sourcing::{Error, ErrorKind, NewEvent, Position, StoredEvent, StreamAppend};
use sqlx::SqliteConnection;

/// The builds that appends keep up in the database, as [`Inline`] has those that its store does.
pub(super) const BUILDS: &str = "(SELECT group_concat(projection || '/' || build, ' ') FROM (SELECT projection, build \
                                 FROM jitney_projections WHERE inline ORDER BY build))";

/// The projections that a store keeps up by its appends.
#[derive(Debug, Default)]
pub(super) struct Inline {
    projections: Vec<InlineProjection<SqliteConnection>>,
    builds: Option<String>,
}

impl Inline {
    pub(super) fn of(projections: Vec<InlineProjection<SqliteConnection>>) -> Self {
        let mut builds: Vec<_> = projections.iter().map(|one| (one.build(), one.name())).collect();
        builds.sort_unstable();
        let builds: Vec<_> = builds.iter().map(|(build, name)| format!("{name}/{build}")).collect();
        Inline { builds: Some(builds.join(" ")).filter(|builds| !builds.is_empty()), projections }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.projections.is_empty()
    }

    /// Refuses an append that would leave out what the database has inline, or apply what it has not.
    pub(super) fn check(&self, place: &str, builds: Option<&str>) -> Result<(), Error> {
        let ours = self.builds.as_deref();
        if ours == builds {
            return Ok(());
        }
        let shown = |builds: Option<&str>| builds.map_or("none".to_owned(), |builds| format!("`{builds}`"));
        let what = format!(
            "appending in {place}: the projections that are inline in it (name and build) are {}, and this store keeps up {}, so nothing \
             is stored; open the store anew with all of them, by `inline`",
            shown(builds),
            shown(ours),
        );
        Err(Error::new(ErrorKind::Config, what))
    }

    /// Applies events that were stored.
    pub(super) async fn apply(
        &self,
        connection: &mut SqliteConnection,
        events: &[StoredEvent],
    ) -> Result<(), Error> {
        for projection in &self.projections {
            projection.apply(events, connection).await?;
        }
        Ok(())
    }

    /// Tells the projections of `events`, behind their commit.
    pub(super) async fn tell(&self, events: &[StoredEvent]) {
        for projection in &self.projections {
            projection.tell(events).await;
        }
    }
}

/// The events of `part` as they are stored behind event `last` of the stream, the last of them at `position`: there is one
/// writer.
pub(super) fn stored(part: &StreamAppend, last: u64, position: i64) -> impl Iterator<Item = StoredEvent> {
    let count = part.events.len() as u64;
    let first = (position.unsigned_abs() + 1).saturating_sub(count);
    part.events.iter().zip(last + 1..).zip(first..).map(
        |((event, sequence), position): ((&NewEvent, u64), u64)| {
            event.clone().into_stored(&part.stream, sequence, Position::at([position]))
        },
    )
}
