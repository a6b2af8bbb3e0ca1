//! The relay's side of the outbox.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::Error;
use jitney_core::outbox::{Backlog, OutboxStore, ParkedEvent, PendingEvent, Shard, Share};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::SqliteOutbox;
use crate::outbox::{Row, numbers, shard};
use crate::sqlite::error::commit_failed;

/// How often to look for events of others.
const LOOK: Duration = Duration::from_millis(25);

const BURY: &str = "DELETE FROM jitney_outbox_relays WHERE until <= ?2 AND relay <> ?1";

const LIVE: &str = "INSERT INTO jitney_outbox_relays (relay, until) VALUES (?1, ?2) \
                    ON CONFLICT (relay) DO UPDATE SET until = excluded.until";

const RELAYS: &str = "SELECT count(*) FROM jitney_outbox_relays";

const HELD: &str = "SELECT shard, relay FROM jitney_outbox_shards";

const GIVE_UP: &str = "DELETE FROM jitney_outbox_shards WHERE relay = ?1 AND shard = ?2";

const TAKE: &str = "INSERT INTO jitney_outbox_shards (relay, shard) VALUES (?1, ?2)";

const LEAVE: &str = "DELETE FROM jitney_outbox_relays WHERE relay = ?1";

/// The shards are one text, a JSON array: SQLite has no arrays.
const PENDING: &str = "SELECT place, topic, key, time, body FROM jitney_outbox \
                       WHERE error IS NULL AND shard IN (SELECT value FROM json_each(?1)) ORDER BY place LIMIT ?2";

const REMOVE: &str = "DELETE FROM jitney_outbox WHERE place IN (SELECT value FROM json_each(?1))";

const PARK: &str = "UPDATE jitney_outbox SET error = ?2 WHERE place = ?1";

const PARKED: &str = "SELECT place, topic, key, time, body, error FROM jitney_outbox \
                      WHERE error IS NOT NULL ORDER BY place LIMIT ?1";

/// It gets a new place: one behind those that are pending.
const UNPARK: &str = "INSERT INTO jitney_outbox (shard, topic, key, time, body) \
                      SELECT shard, topic, key, time, body FROM jitney_outbox \
                      WHERE place = ?1 AND error IS NOT NULL";

const REMOVE_ONE: &str = "DELETE FROM jitney_outbox WHERE place = ?1";

const BACKLOG: &str = "SELECT count(*) FILTER (WHERE error IS NULL), min(time) FILTER (WHERE error IS NULL), \
                       count(*) FILTER (WHERE error IS NOT NULL) FROM jitney_outbox";

const NEWEST: &str = "SELECT coalesce(max(place), 0) FROM jitney_outbox";

impl SqliteOutbox {
    async fn read<T>(
        &self,
        doing: &str,
        read: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut connection = self.store.reader().await?;
        let done = read(&mut connection).await;
        Ok(done.map_err(|error| self.store.failed(doing, error))?)
    }

    async fn write<T>(
        &self,
        doing: &str,
        write: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, Error> {
        let mut transaction = self.store.begin().await?;
        let done = write(&mut transaction).await.map_err(|error| self.store.failed(doing, error))?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(self.store.place(), doing, error))?;
        Ok(done)
    }
}

#[async_trait]
impl OutboxStore for SqliteOutbox {
    async fn lease(&self, owner: &str, lease: Duration) -> Result<Vec<Shard>, Error> {
        let now = self.store.env().now();
        let until = now.as_millisecond().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        self.write("leasing shards of the outbox", async |connection| {
            share_out(connection, owner, now.as_millisecond(), until).await
        })
        .await
    }

    async fn release(&self, owner: &str) -> Result<(), Error> {
        self.write("giving up shards of the outbox", async |connection| {
            sqlx::query(LEAVE).bind(owner).execute(connection).await.map(drop)
        })
        .await
    }

    async fn pending(&self, shards: &[Shard], limit: usize) -> Result<Vec<PendingEvent>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read("reading the outbox", async |connection| {
            let rows =
                sqlx::query(PENDING).bind(json(&numbers(shards))).bind(limit).fetch_all(connection).await?;
            let event = |row: &SqliteRow| {
                Ok(PendingEvent { place: place(row)?, message: row_of(row)?.into_message() })
            };
            rows.iter().map(event).collect()
        })
        .await
    }

    async fn remove(&self, places: &[u64]) -> Result<(), Error> {
        self.write("removing what was published from the outbox", async |connection| {
            sqlx::query(REMOVE).bind(json(places)).execute(connection).await.map(drop)
        })
        .await
    }

    async fn park(&self, place: u64, error: &str) -> Result<(), Error> {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        self.write("putting an event of the outbox aside", async |connection| {
            sqlx::query(PARK).bind(place).bind(error).execute(connection).await.map(drop)
        })
        .await
    }

    async fn parked(&self, limit: usize) -> Result<Vec<ParkedEvent>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read("reading what was put aside in the outbox", async |connection| {
            let rows = sqlx::query(PARKED).bind(limit).fetch_all(connection).await?;
            let event = |row: &SqliteRow| {
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
        self.write("having an event of the outbox published again", async |connection| {
            let again = sqlx::query(UNPARK).bind(place).execute(&mut *connection).await?;
            if again.rows_affected() > 0 {
                sqlx::query(REMOVE_ONE).bind(place).execute(connection).await?;
            }
            Ok(())
        })
        .await
    }

    async fn backlog(&self) -> Result<Backlog, Error> {
        self.read("looking at the outbox", async |connection| {
            let row = sqlx::query(BACKLOG).fetch_one(connection).await?;
            let count = |column| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
            let oldest = row.try_get::<Option<i64>, _>(1)?;
            let oldest = oldest.and_then(|time| Timestamp::from_millisecond(time).ok());
            Ok(Backlog::new(count(0)?, oldest, count(2)?))
        })
        .await
    }

    async fn wait(&self, at_most: Duration) {
        let env = self.store.env();
        let look = async {
            loop {
                let newest = self.read("looking at the outbox", async |connection| {
                    sqlx::query_scalar::<_, i64>(NEWEST).fetch_one(connection).await
                });
                // Not to get an answer is no news; who reads then learns why.
                if let Ok(newest) = newest.await
                    && self.newest.swap(newest, Ordering::AcqRel) < newest
                {
                    return;
                }
                env.sleep(LOOK).await;
            }
        };
        let _ = env.timeout(at_most, look).await;
    }
}

async fn share_out(
    connection: &mut SqliteConnection,
    relay: &str,
    now: i64,
    until: i64,
) -> Result<Vec<Shard>, sqlx::Error> {
    sqlx::query(BURY).bind(relay).bind(now).execute(&mut *connection).await?;
    sqlx::query(LIVE).bind(relay).bind(until).execute(&mut *connection).await?;
    let relays: i64 = sqlx::query_scalar(RELAYS).fetch_one(&mut *connection).await?;
    let held: Vec<(i64, String)> = sqlx::query_as(HELD).fetch_all(&mut *connection).await?;
    let held = held.iter().filter_map(|(number, relay)| Some((shard(*number)?, &**relay)));
    let share = Share::of(relay, usize::try_from(relays).unwrap_or(1), held);
    for (sql, shards) in [(GIVE_UP, &share.given_up), (TAKE, &share.taken)] {
        for number in numbers(shards) {
            sqlx::query(sql).bind(relay).bind(number).execute(&mut *connection).await?;
        }
    }
    Ok(share.into_shards())
}

/// Numbers as a JSON array.
fn json<N: serde::Serialize>(numbers: &[N]) -> String {
    serde_json::to_string(numbers).expect("numbers can be written as JSON")
}

fn place(row: &SqliteRow) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(0).map(i64::unsigned_abs)
}

fn row_of(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        shard: 0,
        topic: row.try_get(1)?,
        key: row.try_get(2)?,
        time_ms: row.try_get(3)?,
        body: row.try_get(4)?,
    })
}
