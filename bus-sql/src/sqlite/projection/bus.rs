//! Events that come by a bus: which a build has handled.

use jitney_sourcing::Error;
use jitney_sourcing::projection::{BuildId, BusReadModel, BusTransaction, Mark, Received};

use super::{SqliteReadModel, SqliteTransaction, integer, looking, read};
use crate::projection::{left_of_gap, number};

/// Whether the build takes events. A projection from a bus has one shard.
const OPEN: &str = "SELECT EXISTS (SELECT 1 FROM jitney_projections p \
                    JOIN jitney_projection_shards s ON s.build = p.build AND s.shard = 0 \
                    WHERE p.build = ?1 AND p.state = ?2 AND NOT p.paused AND s.stopped IS NULL)";

const PASS_BY: &str = "INSERT INTO jitney_projection_streams (build, aggregate_type, aggregate_id, last) \
                       VALUES (?1, ?2, ?3, ?4) ON CONFLICT (build, aggregate_type, aggregate_id) \
                       DO UPDATE SET previous = last, last = max(last, ?4) RETURNING previous";

const ADD_GAP: &str = "INSERT INTO jitney_projection_gaps \
                       (build, aggregate_type, aggregate_id, from_sequence, to_sequence) \
                       VALUES (?1, ?2, ?3, ?4, ?5)";

const GAP: &str = "SELECT from_sequence, to_sequence FROM jitney_projection_gaps \
                   WHERE build = ?1 AND aggregate_type = ?2 AND aggregate_id = ?3 AND from_sequence <= ?4 \
                   ORDER BY from_sequence DESC LIMIT 1";

const REMOVE_GAP: &str = "DELETE FROM jitney_projection_gaps \
                          WHERE build = ?1 AND aggregate_type = ?2 AND aggregate_id = ?3 AND from_sequence = ?4";

const MARK_ID: &str =
    "INSERT INTO jitney_projection_events (build, event_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

const HAS_PLACE: &str = "SELECT EXISTS (SELECT 1 FROM jitney_projection_streams \
                         WHERE build = ?1 AND aggregate_type = ?2 AND aggregate_id = ?3 AND last >= ?4) \
                         AND NOT EXISTS (SELECT 1 FROM jitney_projection_gaps \
                         WHERE build = ?1 AND aggregate_type = ?2 AND aggregate_id = ?3 \
                         AND ?4 BETWEEN from_sequence AND to_sequence)";

const HAS_ID: &str =
    "SELECT EXISTS (SELECT 1 FROM jitney_projection_events WHERE build = ?1 AND event_id = ?2)";

impl BusReadModel for SqliteReadModel {
    async fn has_received(&self, build: &BuildId, mark: &Mark<'_>) -> Result<bool, Error> {
        let Some(file) = self.file_of(build).await? else { return Ok(false) };
        let number = integer(build.number);
        read(&file, &looking(&build.projection), async |connection| {
            let query = match *mark {
                Mark::Place { aggregate_type, aggregate_id, sequence } => {
                    let query = sqlx::query_scalar(HAS_PLACE).bind(number);
                    query.bind(aggregate_type).bind(aggregate_id).bind(integer(sequence))
                }
                Mark::Id(id) => sqlx::query_scalar(HAS_ID).bind(number).bind(id.to_string()),
            };
            query.fetch_one(connection).await
        })
        .await
    }
}

impl BusTransaction for SqliteTransaction {
    async fn receive(&mut self, mark: &Mark<'_>, overtaken_too: bool) -> Result<Received, Error> {
        let received = self.receive_here(mark, overtaken_too).await;
        received.map_err(|error| self.file.failed(&super::transaction::doing(&self.build), error))
    }
}

impl SqliteTransaction {
    async fn receive_here(&mut self, mark: &Mark<'_>, overtaken_too: bool) -> Result<Received, sqlx::Error> {
        let build = integer(self.build.number);
        let connection = &mut *self.transaction;
        if !self.is_open {
            let open = sqlx::query_scalar(OPEN).bind(build).bind(number(self.build.state));
            self.is_open = open.fetch_one(&mut *connection).await?;
        }
        if !self.is_open {
            return Ok(Received::Closed);
        }
        let (kind, id, sequence) = match *mark {
            Mark::Place { aggregate_type, aggregate_id, sequence } => {
                (aggregate_type, aggregate_id, integer(sequence))
            }
            Mark::Id(id) => {
                let marked = sqlx::query(MARK_ID).bind(build).bind(id.to_string());
                let is_new = marked.execute(connection).await?.rows_affected() > 0;
                return Ok(if is_new { Received::New } else { Received::Repeated });
            }
        };
        let pass_by = sqlx::query_scalar(PASS_BY).bind(build).bind(kind).bind(id).bind(sequence);
        let previous: i64 = pass_by.fetch_one(&mut *connection).await?;
        if sequence > previous {
            if sequence - 1 > previous {
                let add = sqlx::query(ADD_GAP).bind(build).bind(kind).bind(id);
                add.bind(previous + 1).bind(sequence - 1).execute(connection).await?;
            }
            return Ok(Received::New);
        }
        let gap = sqlx::query_as(GAP).bind(build).bind(kind).bind(id).bind(sequence);
        let gap: Option<(i64, i64)> = gap.fetch_optional(&mut *connection).await?;
        let Some(gap) = gap.filter(|(_, to)| *to >= sequence) else { return Ok(Received::Repeated) };
        if overtaken_too {
            let remove = sqlx::query(REMOVE_GAP).bind(build).bind(kind).bind(id).bind(gap.0);
            remove.execute(&mut *connection).await?;
            for (from, to) in left_of_gap(gap, sequence) {
                let add = sqlx::query(ADD_GAP).bind(build).bind(kind).bind(id);
                add.bind(from).bind(to).execute(&mut *connection).await?;
            }
        }
        Ok(Received::Overtaken)
    }
}
