//! The newest snapshot of each stream.

use async_trait::async_trait;
use jiff::Timestamp;
use jitney_core::personal::mention_of;
use jitney_sourcing::{Error, SnapshotStore, StoredSnapshot, StreamId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;

#[async_trait]
impl SnapshotStore for SqliteStore {
    async fn load_snapshot(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, Error> {
        let sql = "SELECT sequence, event_id, schema, time, state, checksum FROM jitney_snapshots \
                   WHERE aggregate_type = ?1 AND aggregate_id = ?2";
        let query = sqlx::query(sql).bind(stream.aggregate_type()).bind(stream.aggregate_id());
        let row = query.fetch_optional(self.readers()).await;
        let snapshot = row.and_then(|row| row.map(|row| snapshot(&row)).transpose());
        snapshot.map_err(|error| self.failed(&format!("loading the snapshot of stream {stream}"), error))
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: StoredSnapshot) -> Result<(), Error> {
        let sql = "INSERT INTO jitney_snapshots \
                   (aggregate_type, aggregate_id, sequence, event_id, schema, time, state, checksum) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                   ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET sequence = ?3, event_id = ?4, \
                   schema = ?5, time = ?6, state = ?7, checksum = ?8";
        let query = sqlx::query(sql)
            .bind(stream.aggregate_type())
            .bind(stream.aggregate_id())
            .bind(i64::try_from(snapshot.sequence).unwrap_or(i64::MAX))
            .bind(snapshot.event_id.to_string())
            .bind(snapshot.schema.to_string())
            .bind(snapshot.time.as_millisecond())
            .bind(Vec::from(snapshot.state))
            .bind(snapshot.checksum.to_string());
        let saved = query.execute(self.writer()).await;
        saved.map_err(|error| self.failed(&format!("saving a snapshot of stream {stream}"), error))?;
        Ok(())
    }

    async fn delete_snapshot(&self, stream: &StreamId) -> Result<(), Error> {
        let sql = "DELETE FROM jitney_snapshots WHERE aggregate_type = ?1 AND aggregate_id = ?2";
        let query = sqlx::query(sql).bind(stream.aggregate_type()).bind(stream.aggregate_id());
        let deleted = query.execute(self.writer()).await;
        deleted.map_err(|error| self.failed(&format!("deleting the snapshot of stream {stream}"), error))?;
        Ok(())
    }

    async fn delete_snapshots_of(&self, subject: &str) -> Result<u64, Error> {
        let sql = "DELETE FROM jitney_snapshots WHERE instr(state, ?1) > 0";
        let query = sqlx::query(sql).bind(mention_of(subject).into_bytes());
        let deleted = query.execute(self.writer()).await;
        let deleted = deleted.map_err(|error| self.failed("deleting the snapshots of a subject", error))?;
        Ok(deleted.rows_affected())
    }
}

/// The snapshot as it is found. What cannot be read becomes something that its checksum does not fit.
fn snapshot(row: &SqliteRow) -> Result<StoredSnapshot, sqlx::Error> {
    let text = |column: usize| row.try_get::<&str, _>(column);
    let mut snapshot = StoredSnapshot::new(
        u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default(),
        text(1)?.into(),
        text(2)?.parse().unwrap_or_default(),
        Timestamp::from_millisecond(row.try_get(3)?).unwrap_or_default(),
        row.try_get::<Vec<u8>, _>(4)?,
    );
    snapshot.checksum = text(5)?.parse().unwrap_or_default();
    Ok(snapshot)
}
