//! Snapshots, beside the events.

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::Id;
use jitney_core::personal::mention_of;
use jitney_sourcing::{Error, SnapshotStore, StoredSnapshot, StreamId};
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::{Effect, failed};
use super::row::from_u64;
use super::store::PostgresStore;

const LOAD: &str = "
SELECT sequence, event_id, schema_hash::text, time_ms, state, checksum::text FROM {schema}.snapshots
WHERE aggregate_type = $1 AND aggregate_id = $2";

const SAVE: &str = "
INSERT INTO {schema}.snapshots
    (aggregate_type, aggregate_id, sequence, event_id, schema_hash, time_ms, state, checksum)
VALUES ($1, $2, $3, $4, $5::uuid, $6, $7, $8::uuid)
ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET
    sequence = excluded.sequence, event_id = excluded.event_id, schema_hash = excluded.schema_hash,
    time_ms = excluded.time_ms, state = excluded.state, checksum = excluded.checksum";

const DELETE: &str = "DELETE FROM {schema}.snapshots WHERE aggregate_type = $1 AND aggregate_id = $2";

const DELETE_OF: &str = "DELETE FROM {schema}.snapshots WHERE position($1::bytea IN state) > 0";

#[async_trait]
impl SnapshotStore for PostgresStore {
    async fn load_snapshot(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, Error> {
        let failed = |error| failed(&format!("loading the snapshot of stream {stream}"), error, Effect::None);
        let mut connection = self.connection().await?;
        let query = sqlx::query(self.schema().sql(LOAD));
        let query = query.bind(stream.aggregate_type()).bind(stream.aggregate_id());
        let row = query.fetch_optional(&mut *connection).await.map_err(failed)?;
        row.map(|row| snapshot(&row).map_err(failed)).transpose()
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: StoredSnapshot) -> Result<(), Error> {
        let mut connection = self.connection().await?;
        let saved = sqlx::query(self.schema().sql(SAVE))
            .bind(stream.aggregate_type())
            .bind(stream.aggregate_id())
            .bind(from_u64(snapshot.sequence))
            .bind(snapshot.event_id.to_string())
            .bind(snapshot.schema.to_string())
            .bind(snapshot.time.as_millisecond())
            .bind(&snapshot.state[..])
            .bind(snapshot.checksum.to_string())
            .execute(&mut *connection)
            .await;
        let doing = || format!("saving a snapshot of stream {stream}");
        saved.map(drop).map_err(|error| failed(&doing(), error, Effect::Possible))
    }

    async fn delete_snapshot(&self, stream: &StreamId) -> Result<(), Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query(self.schema().sql(DELETE));
        let query = query.bind(stream.aggregate_type()).bind(stream.aggregate_id());
        let doing = || format!("deleting the snapshot of stream {stream}");
        let deleted = query.execute(&mut *connection).await;
        deleted.map(drop).map_err(|error| failed(&doing(), error, Effect::Possible))
    }

    async fn delete_snapshots_of(&self, subject: &str) -> Result<u64, Error> {
        let mut connection = self.connection().await?;
        let query = sqlx::query(self.schema().sql(DELETE_OF)).bind(mention_of(subject).into_bytes());
        let deleted = query.execute(&mut *connection).await;
        let failed = |error| failed("deleting the snapshots of a subject", error, Effect::Possible);
        Ok(deleted.map_err(failed)?.rows_affected())
    }
}

fn snapshot(row: &PgRow) -> Result<StoredSnapshot, sqlx::Error> {
    let sequence: i64 = row.try_get(0)?;
    let uuid = |column: usize| -> Result<Uuid, sqlx::Error> {
        row.try_get::<&str, _>(column)?
            .parse()
            .map_err(|error: uuid::Error| sqlx::Error::Decode(error.into()))
    };
    let time = Timestamp::from_millisecond(row.try_get(3)?);
    let time = time.map_err(|error| sqlx::Error::Decode(error.into()))?;
    let (id, state) = (Id::from(row.try_get::<&str, _>(1)?), row.try_get::<Vec<u8>, _>(4)?);
    let mut snapshot = StoredSnapshot::new(sequence.unsigned_abs(), id, uuid(2)?, time, state);
    // As it was stored, so that what does not fit shows.
    snapshot.checksum = uuid(5)?;
    Ok(snapshot)
}
