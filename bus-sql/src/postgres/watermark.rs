//! The watermark: the oldest transaction of the whole cluster that still runs. Readers of all events do not come beyond.
//!
//! A transaction in another database of the cluster, or one that was prepared and forgotten, holds it back as well. That is a
//! lag, and shows as one; no time-out proves that nothing comes of a transaction.

use jiff::Timestamp;
use jitney_sourcing::Error;
use sqlx::{PgConnection, Row};

use super::error::{Effect, failed};
use super::read::WATERMARK;
use super::schema::Schema;

/// Beyond so many, events that are held back are not counted.
const MOST: i64 = 100_000;

/// What holds readers of all events back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watermark {
    /// How many events are stored and cannot be read yet; 100,000 where there are more.
    pub held_back: u64,
    /// The oldest transaction that runs; none where none runs.
    pub holder: Option<Holder>,
}

/// A transaction that holds the watermark back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Since when it runs, where the role of the store may see that; since when it is prepared, where it is.
    pub since: Option<Timestamp>,
    /// The process of the server that runs it: the argument of `pg_terminate_backend`. None where it is prepared.
    pub pid: Option<i32>,
    /// The name that it was prepared under: the argument of `COMMIT PREPARED` and `ROLLBACK PREPARED`, in the database that
    /// it was prepared in.
    pub prepared: Option<String>,
    /// What the connection calls itself, where the role of the store may see that.
    pub application: Option<String>,
}

/// Every transaction with an id has a lock on it.
const HOLDER: &str =
    ", x AS (SELECT pg_snapshot_xmin(s)::xid AS id, pg_snapshot_xmin(s) < pg_snapshot_xmax(s) AS runs
    FROM pg_current_snapshot() AS s)
SELECT
    (SELECT count(*) FROM (
        SELECT FROM {schema}.events e
        WHERE (e.epoch, e.tx) >= ((SELECT epoch FROM w), (SELECT tx FROM w)) LIMIT $1) AS held),
    l.transactionid IS NOT NULL,
    l.pid, p.gid, a.application_name,
    (extract(epoch FROM coalesce(p.prepared, a.xact_start)) * 1000)::bigint
FROM x
LEFT JOIN pg_locks l ON x.runs AND l.locktype = 'transactionid' AND l.transactionid = x.id
    AND l.mode = 'ExclusiveLock' AND l.granted
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_prepared_xacts p ON p.transaction = l.transactionid";

const NEWS: &str = "
SELECT
    EXISTS (SELECT FROM {schema}.events e
        WHERE (e.epoch, e.tx, e.seq) > ($1, $2, $3)
          AND (e.epoch, e.tx) < ((SELECT epoch FROM w), (SELECT tx FROM w))),
    (SELECT count(*) FROM (
        SELECT FROM {schema}.events e
        WHERE (e.epoch, e.tx) >= ((SELECT epoch FROM w), (SELECT tx FROM w)) LIMIT $4) AS held)";

/// Where the watermark is, and why.
pub(super) async fn look(connection: &mut PgConnection, schema: &Schema) -> Result<Watermark, Error> {
    let failed = |error| failed("looking at the watermark of all events", error, Effect::None);
    let sql = schema.sql(&format!("WITH {WATERMARK}{HOLDER}"));
    let row = sqlx::query(sql).bind(MOST).fetch_one(connection).await.map_err(failed)?;
    let read = || -> Result<Watermark, sqlx::Error> {
        let since: Option<i64> = row.try_get(5)?;
        let holder = Holder {
            since: since.and_then(|since| Timestamp::from_millisecond(since).ok()),
            pid: row.try_get(2)?,
            prepared: row.try_get(3)?,
            application: row.try_get(4)?,
        };
        let (held_back, runs): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Watermark { held_back: held_back.unsigned_abs(), holder: runs.then_some(holder) })
    };
    let watermark = read().map_err(failed)?;
    publish(schema, watermark.held_back);
    Ok(watermark)
}

/// What there is behind a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Behind {
    /// Something can be read.
    pub(super) is_readable: bool,
    /// Something is stored that cannot be read yet.
    pub(super) is_held_back: bool,
}

/// What there is behind `place`; counts what is held back.
pub(super) async fn behind(
    connection: &mut PgConnection,
    schema: &Schema,
    place: [i64; 3],
) -> Result<Behind, sqlx::Error> {
    let [epoch, tx, seq] = place;
    let query = sqlx::query(schema.sql(&format!("WITH {WATERMARK}{NEWS}")));
    let query = query.bind(epoch).bind(tx).bind(seq).bind(MOST);
    let row = query.fetch_one(connection).await?;
    let held_back = row.try_get::<i64, _>(1)?.unsigned_abs();
    publish(schema, held_back);
    Ok(Behind { is_readable: row.try_get(0)?, is_held_back: held_back > 0 })
}

fn publish(schema: &Schema, held_back: u64) {
    metrics::gauge!("jitney_store_held_back", "schema" => schema.name().to_owned()).set(held_back as f64);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;

    /// Keeps the one gauge.
    struct OneGauge(Arc<AtomicU64>);

    impl Recorder for OneGauge {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            assert_eq!(key.to_string(), "Key(jitney_store_held_back, [schema = jitney])");
            Gauge::from_arc(Arc::clone(&self.0))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn the_gauge_has_the_number_of_events_that_are_held_back() {
        let kept = Arc::new(AtomicU64::new(0));
        let schema = Schema::new(Schema::DEFAULT).unwrap();
        metrics::with_local_recorder(&OneGauge(Arc::clone(&kept)), || publish(&schema, 7));
        assert_eq!(f64::from_bits(kept.load(Ordering::Relaxed)), 7.0);
    }
}
