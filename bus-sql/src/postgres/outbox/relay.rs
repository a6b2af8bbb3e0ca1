//! The relay's side of the outbox.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::Error;
use jitney_core::outbox::{Backlog, OutboxStore, ParkedEvent, PendingEvent, Shard, Share};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row as _};

use super::PostgresOutbox;
use crate::outbox::{Row, numbers, shard};
use crate::postgres::error::{Effect, failed};
use crate::postgres::schema::Schema;

/// Relays share out shards one after the other. The clock is the server's.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('jitney outbox ' || $1, 0))";

const BURY: &str = "DELETE FROM {schema}.outbox_relays WHERE until <= clock_timestamp() AND relay <> $1";

const LIVE: &str = "
INSERT INTO {schema}.outbox_relays (relay, until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
ON CONFLICT (relay) DO UPDATE SET until = excluded.until";

const RELAYS: &str = "SELECT count(*) FROM {schema}.outbox_relays";

const HELD: &str = "SELECT shard::bigint, relay FROM {schema}.outbox_shards";

const GIVE_UP: &str = "DELETE FROM {schema}.outbox_shards WHERE relay = $1 AND shard = ANY($2)";

const TAKE: &str = "INSERT INTO {schema}.outbox_shards (shard, relay) SELECT unnest($2::smallint[]), $1";

const LEAVE: &str = "DELETE FROM {schema}.outbox_relays WHERE relay = $1";

const PENDING: &str = "
SELECT place, topic, key, time_ms, body FROM {schema}.outbox
WHERE error IS NULL AND shard = ANY($1) ORDER BY place LIMIT $2";

const REMOVE: &str = "DELETE FROM {schema}.outbox WHERE place = ANY($1)";

const PARK: &str = "UPDATE {schema}.outbox SET error = $2 WHERE place = $1";

const PARKED: &str = "
SELECT place, topic, key, time_ms, body, error FROM {schema}.outbox
WHERE error IS NOT NULL ORDER BY place LIMIT $1";

/// It gets a new place: one behind those that are pending.
const UNPARK: &str = "
WITH parked AS (DELETE FROM {schema}.outbox WHERE place = $1 AND error IS NOT NULL RETURNING *)
INSERT INTO {schema}.outbox (shard, topic, key, time_ms, body)
SELECT shard, topic, key, time_ms, body FROM parked";

const BACKLOG: &str = "
SELECT count(*) FILTER (WHERE error IS NULL), min(time_ms) FILTER (WHERE error IS NULL),
    count(*) FILTER (WHERE error IS NOT NULL)
FROM {schema}.outbox";

impl PostgresOutbox {
    async fn work<T>(
        &self,
        doing: &str,
        work: impl AsyncFnOnce(&mut PgConnection, &Schema) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut connection = self.store.connection().await?;
        let done = work(&mut connection, self.store.schema()).await;
        Ok(done.map_err(|error| failed(doing, error, Effect::None))?)
    }
}

#[async_trait]
impl OutboxStore for PostgresOutbox {
    async fn lease(&self, owner: &str, lease: Duration) -> Result<Vec<Shard>, Error> {
        self.work("leasing shards of the outbox", async |connection, schema| {
            let mut transaction = connection.begin().await?;
            let leased = share_out(&mut transaction, schema, owner, lease).await?;
            transaction.commit().await.map(|()| leased)
        })
        .await
    }

    async fn release(&self, owner: &str) -> Result<(), Error> {
        self.work("giving up shards of the outbox", async |connection, schema| {
            sqlx::query(schema.sql(LEAVE)).bind(owner).execute(connection).await.map(drop)
        })
        .await
    }

    async fn pending(&self, shards: &[Shard], limit: usize) -> Result<Vec<PendingEvent>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.work("reading the outbox", async |connection, schema| {
            let query = sqlx::query(schema.sql(PENDING)).bind(numbers(shards)).bind(limit);
            let rows = query.fetch_all(connection).await?;
            let event =
                |row: &PgRow| Ok(PendingEvent { place: place(row)?, message: row_of(row)?.into_message() });
            rows.iter().map(event).collect()
        })
        .await
    }

    async fn remove(&self, places: &[u64]) -> Result<(), Error> {
        let places: Vec<_> = places.iter().map(|place| i64::try_from(*place).unwrap_or(i64::MAX)).collect();
        self.work("removing what was published from the outbox", async |connection, schema| {
            sqlx::query(schema.sql(REMOVE)).bind(places).execute(connection).await.map(drop)
        })
        .await
    }

    async fn park(&self, place: u64, error: &str) -> Result<(), Error> {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        self.work("putting an event of the outbox aside", async |connection, schema| {
            // What the server takes in a text.
            let error = error.replace('\0', "\u{fffd}");
            sqlx::query(schema.sql(PARK)).bind(place).bind(error).execute(connection).await.map(drop)
        })
        .await
    }

    async fn parked(&self, limit: usize) -> Result<Vec<ParkedEvent>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.work("reading what was put aside in the outbox", async |connection, schema| {
            let rows = sqlx::query(schema.sql(PARKED)).bind(limit).fetch_all(connection).await?;
            let event = |row: &PgRow| {
                Ok(ParkedEvent {
                    place: place(row)?,
                    message: row_of(row)?.into_message(),
                    error: row.try_get(5)?,
                })
            };
            rows.iter().map(event).collect()
        })
        .await
    }

    async fn unpark(&self, place: u64) -> Result<(), Error> {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        self.work("having an event of the outbox published again", async |connection, schema| {
            sqlx::query(schema.sql(UNPARK)).bind(place).execute(connection).await.map(drop)
        })
        .await?;
        self.wake_relays();
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, Error> {
        self.work("looking at the outbox", async |connection, schema| {
            let row = sqlx::query(schema.sql(BACKLOG)).fetch_one(connection).await?;
            let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
            let oldest = row.try_get::<Option<i64>, _>(1)?;
            let oldest = oldest.and_then(|time| Timestamp::from_millisecond(time).ok());
            Ok(Backlog::new(count(0)?, oldest, count(2)?))
        })
        .await
    }

    async fn wait(&self, at_most: Duration) {
        let mut heard = self.heard.lock().await;
        let Some(heard) = &mut *heard else {
            // From here on nothing is missed; what came before is for the next look.
            *heard = Some(self.store.listen());
            return;
        };
        // Not to have heard anything is what the time limit is for; the sender lives as long as the store.
        let _ = self.store.env().timeout(at_most, heard.changed()).await;
    }
}

async fn share_out(
    connection: &mut PgConnection,
    schema: &Schema,
    relay: &str,
    lease: Duration,
) -> Result<Vec<Shard>, sqlx::Error> {
    sqlx::query(LOCK).bind(schema.name()).execute(&mut *connection).await?;
    sqlx::query(schema.sql(BURY)).bind(relay).execute(&mut *connection).await?;
    sqlx::query(schema.sql(LIVE)).bind(relay).bind(lease.as_secs_f64()).execute(&mut *connection).await?;
    let relays: i64 = sqlx::query_scalar(schema.sql(RELAYS)).fetch_one(&mut *connection).await?;
    let held: Vec<(i64, String)> = sqlx::query_as(schema.sql(HELD)).fetch_all(&mut *connection).await?;
    let held = held.iter().filter_map(|(number, relay)| Some((shard(*number)?, &**relay)));
    let share = Share::of(relay, usize::try_from(relays).unwrap_or(1), held);
    for (sql, shards) in [(GIVE_UP, &share.given_up), (TAKE, &share.taken)] {
        if !shards.is_empty() {
            sqlx::query(schema.sql(sql)).bind(relay).bind(numbers(shards)).execute(&mut *connection).await?;
        }
    }
    Ok(share.into_shards())
}

fn place(row: &PgRow) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(0).map(i64::unsigned_abs)
}

fn row_of(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        shard: 0,
        topic: row.try_get(1)?,
        key: row.try_get(2)?,
        time_ms: row.try_get(3)?,
        body: row.try_get(4)?,
    })
}
