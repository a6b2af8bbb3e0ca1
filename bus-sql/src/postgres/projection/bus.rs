//! Events that come by a bus: which a build has handled.

use jitney_sourcing::Error;
use jitney_sourcing::projection::{BuildId, BusReadModel, BusTransaction, Mark, Received};

use super::{PostgresReadModel, PostgresTransaction, looking, schema_of};
use crate::postgres::error::{Effect, failed};
use crate::postgres::row::from_u64;
use crate::projection::{left_of_gap, number};

/// Goes to the place of the build where that takes events. A projection from a bus has one shard.
const OPEN: &str = "
SELECT set_config('search_path', quote_ident($3) || ', ' || current_setting('search_path'), true)
FROM {schema}.projections p JOIN {schema}.projection_shards s ON s.build = p.build AND s.shard = 0
WHERE p.build = $1 AND p.state = $2 AND NOT p.paused AND s.stopped IS NULL";

/// The row is locked by it until the transaction ends: the next one waits, and finds what this one has done.
const PASS_BY: &str = "
INSERT INTO {schema}.projection_streams AS s (build, aggregate_type, aggregate_id, last) VALUES ($1, $2, $3, $4)
ON CONFLICT (build, aggregate_type, aggregate_id) DO UPDATE SET previous = s.last, last = greatest(s.last, $4)
RETURNING previous";

const ADD_GAP: &str = "
INSERT INTO {schema}.projection_gaps (build, aggregate_type, aggregate_id, from_sequence, to_sequence)
VALUES ($1, $2, $3, $4, $5)";

const GAP: &str = "
SELECT from_sequence, to_sequence FROM {schema}.projection_gaps
WHERE build = $1 AND aggregate_type = $2 AND aggregate_id = $3 AND from_sequence <= $4
ORDER BY from_sequence DESC LIMIT 1";

const REMOVE_GAP: &str = "
DELETE FROM {schema}.projection_gaps
WHERE build = $1 AND aggregate_type = $2 AND aggregate_id = $3 AND from_sequence = $4";

const MARK_ID: &str = "
INSERT INTO {schema}.projection_events (build, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";

const HAS_PLACE: &str = "
SELECT EXISTS (SELECT FROM {schema}.projection_streams
               WHERE build = $1 AND aggregate_type = $2 AND aggregate_id = $3 AND last >= $4)
   AND NOT EXISTS (SELECT FROM {schema}.projection_gaps
                   WHERE build = $1 AND aggregate_type = $2 AND aggregate_id = $3 AND $4 BETWEEN from_sequence AND to_sequence)";

const HAS_ID: &str =
    "SELECT EXISTS (SELECT FROM {schema}.projection_events WHERE build = $1 AND event_id = $2)";

impl BusReadModel for PostgresReadModel {
    async fn has_received(&self, build: &BuildId, mark: &Mark<'_>) -> Result<bool, Error> {
        let number = from_u64(build.number);
        self.work(&looking(&build.projection), async |connection, schema| {
            let query = match *mark {
                Mark::Place { aggregate_type, aggregate_id, sequence } => {
                    let query = sqlx::query_scalar(schema.sql(HAS_PLACE)).bind(number);
                    query.bind(aggregate_type).bind(aggregate_id).bind(from_u64(sequence))
                }
                Mark::Id(id) => sqlx::query_scalar(schema.sql(HAS_ID)).bind(number).bind(id.to_string()),
            };
            query.fetch_one(connection).await
        })
        .await
    }
}

impl BusTransaction for PostgresTransaction {
    async fn receive(&mut self, mark: &Mark<'_>, overtaken_too: bool) -> Result<Received, Error> {
        let doing = super::transaction::doing(&self.build);
        let place = schema_of(&self.build.projection, self.build.state)?;
        let received = self.receive_in(place.name(), mark, overtaken_too).await;
        received.map_err(|error| failed(&doing, error, Effect::None))
    }
}

impl PostgresTransaction {
    async fn receive_in(
        &mut self,
        place: &str,
        mark: &Mark<'_>,
        overtaken_too: bool,
    ) -> Result<Received, sqlx::Error> {
        let (build, schema) = (from_u64(self.build.number), self.store.schema());
        let connection = &mut *self.transaction;
        if !self.is_open {
            let open = sqlx::query(schema.sql(OPEN)).bind(build).bind(number(self.build.state)).bind(place);
            self.is_open = open.fetch_optional(&mut *connection).await?.is_some();
        }
        if !self.is_open {
            return Ok(Received::Closed);
        }
        let (kind, id, sequence) = match *mark {
            Mark::Place { aggregate_type, aggregate_id, sequence } => {
                (aggregate_type, aggregate_id, from_u64(sequence))
            }
            Mark::Id(id) => {
                let marked = sqlx::query(schema.sql(MARK_ID)).bind(build).bind(id.to_string());
                let is_new = marked.execute(connection).await?.rows_affected() > 0;
                return Ok(if is_new { Received::New } else { Received::Repeated });
            }
        };
        let pass_by = sqlx::query_scalar(schema.sql(PASS_BY)).bind(build).bind(kind).bind(id).bind(sequence);
        let previous: i64 = pass_by.fetch_one(&mut *connection).await?;
        if sequence > previous {
            if sequence - 1 > previous {
                let add = sqlx::query(schema.sql(ADD_GAP)).bind(build).bind(kind).bind(id);
                add.bind(previous + 1).bind(sequence - 1).execute(connection).await?;
            }
            return Ok(Received::New);
        }
        let gap = sqlx::query_as(schema.sql(GAP)).bind(build).bind(kind).bind(id).bind(sequence);
        let gap: Option<(i64, i64)> = gap.fetch_optional(&mut *connection).await?;
        let Some(gap) = gap.filter(|(_, to)| *to >= sequence) else { return Ok(Received::Repeated) };
        if overtaken_too {
            let remove = sqlx::query(schema.sql(REMOVE_GAP)).bind(build).bind(kind).bind(id).bind(gap.0);
            remove.execute(&mut *connection).await?;
            for (from, to) in left_of_gap(gap, sequence) {
                let add = sqlx::query(schema.sql(ADD_GAP)).bind(build).bind(kind).bind(id);
                add.bind(from).bind(to).execute(&mut *connection).await?;
            }
        }
        Ok(Received::Overtaken)
    }
}
