//! Epochs: transaction ids of one cluster of databases say nothing about those of another.
//!
//! A database that was restored from a dump has events with transaction ids of the cluster that they were stored in. If the new
//! cluster has not come so far, a reader that stops at its oldest transaction would see none of them, and later events
//! would be put before them. So each event has the number of the epoch that it was stored in, and everything of an older
//! epoch can be read. A new epoch begins where the cluster is another one than that of the last epoch, or its
//! transaction ids lie behind those that were stored.

use sqlx::{Connection, PgConnection, Row};

use super::schema::Schema;

/// Whether the last epoch is that of this cluster; no row before the first.
const IS_CURRENT: &str = "
SELECT e.system_identifier = (SELECT system_identifier FROM pg_control_system())
   AND NOT EXISTS (
       SELECT FROM {schema}.events v
       WHERE v.epoch = e.epoch AND v.tx >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
FROM {schema}.epochs e ORDER BY e.epoch DESC LIMIT 1";

/// Writers read the table: this waits for those that are at work, and lets none begin.
const LOCK: &str = "LOCK TABLE {schema}.epochs IN ACCESS EXCLUSIVE MODE";

const BEGIN: &str = "
INSERT INTO {schema}.epochs (epoch, system_identifier)
SELECT coalesce((SELECT max(epoch) FROM {schema}.epochs), 0) + 1, system_identifier FROM pg_control_system()
RETURNING epoch";

/// Begins a new epoch where the last one is not that of this cluster.
pub(super) async fn ensure(connection: &mut PgConnection, schema: &Schema) -> Result<(), sqlx::Error> {
    if is_current(connection, schema).await? {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    sqlx::query(schema.sql(LOCK)).execute(&mut *transaction).await?;
    // Another process may have been first.
    if !is_current(&mut transaction, schema).await? {
        let row = sqlx::query(schema.sql(BEGIN)).fetch_one(&mut *transaction).await?;
        let epoch: i64 = row.try_get(0)?;
        if epoch > 1 {
            tracing::warn!(
                epoch,
                schema = schema.name(),
                "the event store was restored into another cluster"
            );
        }
    }
    transaction.commit().await
}

async fn is_current(connection: &mut PgConnection, schema: &Schema) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(schema.sql(IS_CURRENT)).fetch_optional(connection).await?;
    row.map_or(Ok(false), |row| row.try_get(0))
}
