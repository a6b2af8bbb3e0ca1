//! Equal work with sqlx alone: pages of events in their order, decoded; for each page the rows and the place reached, in one
//! transaction.

use jitney::sql::sqlx::{self, AssertSqlSafe, PgPool, Row};

use super::deposits::{self, PurseEvent, Rows};
use crate::Failure;

/// Fills a new table of the schema `place` with what is in the store of `schema`.
pub async fn run(pool: &PgPool, schema: &str, place: &str, batch: usize) -> Result<(), Failure> {
    let (mut reading, mut writing) = (pool.acquire().await?, pool.acquire().await?);
    let create =
        format!("CREATE SCHEMA {place}; CREATE TABLE {place}.reached (epoch bigint, tx bigint, seq bigint)");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *writing).await?;
    deposits::prepare(&format!("{place}."), &mut writing).await?;
    let first = format!("INSERT INTO {place}.reached VALUES (0, 0, 0)");
    sqlx::raw_sql(AssertSqlSafe(first)).execute(&mut *writing).await?;

    let page = format!(
        "SELECT epoch, tx, seq, sequence, event_id, event_type, version_major, version_minor, time_ms, metadata::text, payload::text,
            aggregate_type, aggregate_id
        FROM {schema}.events
        WHERE (epoch, tx, seq) > ($1, $2, $3) AND aggregate_type = 'Purse' AND event_type = 'Deposited'
        ORDER BY epoch, tx, seq LIMIT $4"
    );
    let moved = format!("UPDATE {place}.reached SET epoch = $1, tx = $2, seq = $3");
    let mut reached = [0_i64; 3];
    loop {
        let found = sqlx::query(AssertSqlSafe(page.clone()))
            .bind(reached[0])
            .bind(reached[1])
            .bind(reached[2])
            .bind(i64::try_from(batch)?)
            .fetch_all(&mut *reading)
            .await?;
        let Some(last) = found.last() else { return Ok(()) };
        reached = [last.try_get(0)?, last.try_get(1)?, last.try_get(2)?];
        let mut rows = Rows::default();
        for row in &found {
            let event = of_type(row.try_get("event_type")?, row.try_get("payload")?)?;
            rows.push(row.try_get("aggregate_id")?, row.try_get("sequence")?, &event);
        }
        let mut transaction = sqlx::Connection::begin(&mut *writing).await?;
        rows.write(&format!("{place}."), &mut transaction).await?;
        let moved =
            sqlx::query(AssertSqlSafe(moved.clone())).bind(reached[0]).bind(reached[1]).bind(reached[2]);
        moved.execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
}

fn of_type(event_type: &str, payload: &str) -> Result<PurseEvent, Failure> {
    match event_type {
        "Deposited" => {
            #[derive(serde::Deserialize)]
            struct Deposited {
                cents: i64,
                name: String,
            }
            let Deposited { cents, name } = serde_json::from_str(payload)?;
            Ok(PurseEvent::Deposited { cents, name })
        }
        other => Err(format!("an event of type {other} that nobody has stored").into()),
    }
}
