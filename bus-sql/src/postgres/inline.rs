//! Inline projections in the transaction of an append.

use jitney_sourcing::projection::InlineProjection;
use jitney_sourcing::{Error, ErrorKind, NewEvent, Sealing, StoredEvent};
use sqlx::{PgConnection, Row};

use super::append::{Part, Stored};
use super::error::{Effect, failed, is_behind_a_failure};
use super::row::{from_u64, position};
use super::schema::Schema;

/// What the triggers on the events look for.
const ANNOUNCE: &str = "SELECT set_config('jitney.inline', $1, true)";

/// Behind the insertion of events, which waits for whoever makes a projection inline, or lets it go.
const ENTER: &str = "
WITH old AS MATERIALIZED (SELECT coalesce($3, current_setting('search_path')) AS path)
SELECT old.path, set_config('search_path', quote_ident($1) || ', ' || old.path, true)
FROM old, {schema}.projections p WHERE p.build = $2 AND p.state = 0 AND p.inline";

/// Refused where a statement has failed before, and a handler went on behind it.
const LEAVE: &str = "
SELECT set_config('search_path', coalesce($1, current_setting('search_path')), true), set_config('jitney.inline', '', true)";

const COUNTERS: &str = "
SELECT e.seq FROM {schema}.events e
WHERE e.stream = (SELECT stream FROM {schema}.streams WHERE aggregate_type = $1 AND aggregate_id = $2)
  AND e.sequence BETWEEN $3 AND $4
ORDER BY e.sequence";

/// The projections that a store keeps up by its appends.
#[derive(Debug, Default)]
pub(super) struct Inline {
    projections: Vec<InlineProjection<PgConnection>>,
    /// Their builds, as triggers look for them.
    builds: String,
}

impl Inline {
    pub(super) fn of(projections: Vec<InlineProjection<PgConnection>>) -> Self {
        let name = |one: &InlineProjection<_>| format!(" {}/{} ", one.name(), one.build());
        Inline { builds: projections.iter().map(name).collect(), projections }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.projections.is_empty()
    }

    /// Says what this append keeps up, before its events are inserted.
    pub(super) async fn announce(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.is_empty() {
            return Ok(());
        }
        sqlx::query(ANNOUNCE).bind(&self.builds).execute(connection).await.map(drop)
    }

    /// Applies what was stored of `parts`, and gives it back, to be told behind the commit.
    pub(super) async fn apply(
        &self,
        connection: &mut PgConnection,
        schema: &Schema,
        sealing: &Sealing,
        parts: &[Part],
        stored: &[Stored],
    ) -> Result<Vec<StoredEvent>, Error> {
        let mut events = Vec::new();
        if self.is_empty() {
            return Ok(events);
        }
        let unanswered = |error| failed("appending: reading back what was stored", error, Effect::None);
        for (part, stored) in parts.iter().zip(stored) {
            events.extend(with_places(connection, schema, part, stored).await.map_err(unanswered)?);
        }
        let events = sealing.open(events).await?;
        let mut path: Option<String> = None;
        for projection in &self.projections {
            if !events.iter().any(|event| projection.is_for(event)) {
                continue;
            }
            path = Some(enter(connection, schema, projection, path).await?);
            projection.apply(&events, connection).await?;
        }
        let left = sqlx::query(LEAVE).bind(path).execute(connection).await;
        left.map_err(|error| {
            if !is_behind_a_failure(&error) {
                return failed("appending: leaving the inline projections", error, Effect::None);
            }
            let what = "appending: a statement of an inline projection has failed, and its handler went on behind it, so nothing of \
                        the append is stored; return the error, or try the statement in a savepoint";
            Error::new(ErrorKind::Projection, what).with_source(error)
        })?;
        Ok(events)
    }

    /// Tells the projections of `events`, behind their commit.
    pub(super) async fn tell(&self, events: &[StoredEvent]) {
        for projection in &self.projections {
            projection.tell(events).await;
        }
    }
}

/// Goes to the place of the projection's build, and says what the `search_path` was before all of this.
async fn enter(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &InlineProjection<PgConnection>,
    path: Option<String>,
) -> Result<String, Error> {
    let name = projection.name();
    let failed =
        |error| failed(&format!("appending: entering inline projection `{name}`"), error, Effect::None);
    let enter = sqlx::query(schema.sql(ENTER)).bind(name).bind(from_u64(projection.build())).bind(path);
    let row = enter.fetch_optional(connection).await.map_err(failed)?;
    let Some(row) = row else {
        let what = format!(
            "appending: projection `{name}` is no longer the inline one that this store was opened with, so nothing is stored; open the \
             store anew"
        );
        return Err(Error::new(ErrorKind::Config, what));
    };
    row.try_get(0).map_err(failed)
}

/// The events of `part` as they are stored: of several in one statement, only the last one's place is known.
async fn with_places(
    connection: &mut PgConnection,
    schema: &Schema,
    part: &Part,
    stored: &Stored,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
    let (stream, new) = (&part.append.stream, &part.append.events);
    let ([epoch, tx, seq], first) = (stored.place, stored.first_sequence(part));
    let counters = match new.len() {
        1 => vec![seq],
        _ => {
            let query = sqlx::query_scalar(schema.sql(COUNTERS));
            query
                .bind(stream.aggregate_type())
                .bind(stream.aggregate_id())
                .bind(from_u64(first))
                .bind(from_u64(stored.last_sequence))
                .fetch_all(connection)
                .await?
        }
    };
    let stored = |((event, seq), sequence): ((&NewEvent, i64), u64)| {
        let place = position([epoch, tx, seq]).unwrap_or(jitney_sourcing::Position::START);
        event.clone().into_stored(stream, sequence, place)
    };
    Ok(new.iter().zip(counters).zip(first..).map(stored).collect())
}
