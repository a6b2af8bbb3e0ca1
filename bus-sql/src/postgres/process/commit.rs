//! Steps: processes, marks, deadlines, messages and checkpoint in one transaction.

use jitney_sourcing::Error;
use jitney_sourcing::process::{CheckpointMove, PendingDeadline, ProcessChange, ProcessCommit};
use sqlx::{Connection, PgConnection};

use super::parked::park;
use crate::postgres::error::{Effect, failed};
use crate::postgres::outbox::insert;
use crate::postgres::schema::Schema;
use crate::process::{encoded, number};

/// One that is there has been begun by another runner.
const BEGIN: &str = "
INSERT INTO {schema}.processes
    (process, key, version, state_version, state, compensations, completed, started_ms, updated_ms)
SELECT $1, n.key, n.version, n.state_version, n.state::json, n.compensations::json, n.completed, n.started, n.updated
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::bigint[], $9::bigint[])
    AS n(key, version, state_version, state, compensations, completed, started, updated)
ON CONFLICT DO NOTHING";

/// One of another version has made another step.
const MOVE_ON: &str = "
UPDATE {schema}.processes p SET version = n.version, state_version = n.state_version, state = n.state::json,
    compensations = n.compensations::json, completed = n.completed, updated_ms = n.updated
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::boolean[], $8::bigint[], $9::bigint[])
    AS n(key, version, state_version, state, compensations, completed, expected, updated)
WHERE p.process = $1 AND p.key = n.key AND p.version = n.expected";

const MARK: &str = "
INSERT INTO {schema}.process_steps (process, key, event_id, step, what, time_ms)
SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
    AS n(key, event_id, step, what, time_ms)";

const REMOVE_DEADLINES: &str = "
DELETE FROM {schema}.process_deadlines d USING unnest($2::text[], $3::text[]) AS n(key, deadline)
WHERE d.process = $1 AND d.key = n.key AND d.deadline = n.deadline";

const END_DEADLINES: &str = "DELETE FROM {schema}.process_deadlines WHERE process = $1 AND key = ANY($2)";

const SET_DEADLINES: &str = "
INSERT INTO {schema}.process_deadlines (process, key, deadline, due_ms, cause_id, metadata)
SELECT $1, n.key, n.deadline, n.due_ms, n.cause_id, n.metadata::json
FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[])
    AS n(key, deadline, due_ms, cause_id, metadata)";

const CHECKPOINT: &str = "
UPDATE {schema}.process_feeds SET position = $4 WHERE process = $1 AND owner = $2 AND position = $3";

pub(super) async fn commit(
    connection: &mut PgConnection,
    schema: &Schema,
    mut commit: ProcessCommit,
) -> Result<(), Error> {
    let doing = format!("storing steps of `{}`", commit.process);
    let open = |error| failed(&doing, error, Effect::None);
    let (messages, deadlines) = encoded(&mut commit)?;
    let mut transaction = connection.begin().await.map_err(open)?;
    let has_moved = move_on(&mut transaction, schema, &commit).await.map_err(open)?;
    if let Some(key) = has_moved {
        return Err(commit.moved(&key));
    }
    mark(&mut transaction, schema, &commit).await.map_err(|error| {
        let is_known = error.as_database_error().is_some_and(|error| error.is_unique_violation());
        if is_known { commit.conflict("one of them was made before") } else { open(error) }
    })?;
    remove_deadlines(&mut transaction, schema, &commit).await.map_err(open)?;
    set_deadlines(&mut transaction, schema, commit.process, &deadlines).await.map_err(open)?;
    insert(&mut transaction, schema, &messages).await.map_err(open)?;
    for input in &commit.parked {
        park(&mut transaction, schema, commit.process, input).await.map_err(open)?;
    }
    if let Some(CheckpointMove { owner, from, to }) = &commit.checkpoint {
        let moved = sqlx::query(schema.sql(CHECKPOINT)).bind(commit.process).bind(owner);
        let moved = moved.bind(from.to_string()).bind(to.to_string()).execute(&mut *transaction).await;
        if moved.map_err(open)?.rows_affected() == 0 {
            return Err(commit.overtaken());
        }
    }
    transaction.commit().await.map_err(|error| failed(&doing, error, Effect::Possible))
}

/// Stores the processes; answers the key of one that is not where it was expected.
async fn move_on(
    connection: &mut PgConnection,
    schema: &Schema,
    commit: &ProcessCommit,
) -> Result<Option<String>, sqlx::Error> {
    let (new, old): (Vec<_>, Vec<_>) = commit.changes.iter().partition(|change| change.expected == 0);
    for (sql, changes, is_new) in [(BEGIN, new, true), (MOVE_ON, old, false)] {
        let Some(first) = changes.first() else { continue };
        let numbers = |number: fn(&ProcessChange) -> i64| {
            changes.iter().map(|change| number(change)).collect::<Vec<_>>()
        };
        let texts = |text: fn(&ProcessChange) -> &String| {
            changes.iter().map(|change| text(change).clone()).collect::<Vec<_>>()
        };
        let seventh = match is_new {
            true => numbers(|change| change.process.started_at.as_millisecond()),
            false => numbers(|change| number(change.expected)),
        };
        let stored = sqlx::query(schema.sql(sql))
            .bind(commit.process)
            .bind(texts(|change| &change.process.key))
            .bind(numbers(|change| number(change.process.version)))
            .bind(numbers(|change| i64::from(change.process.state_version)))
            .bind(texts(|change| &change.process.state))
            .bind(texts(|change| &change.process.compensations))
            .bind(changes.iter().map(|change| change.process.completed).collect::<Vec<_>>())
            .bind(seventh)
            .bind(numbers(|change| change.process.updated_at.as_millisecond()))
            .execute(&mut *connection)
            .await?;
        if stored.rows_affected() != changes.len() as u64 {
            return Ok(Some(first.process.key.clone()));
        }
    }
    Ok(None)
}

async fn mark(
    connection: &mut PgConnection,
    schema: &Schema,
    commit: &ProcessCommit,
) -> Result<(), sqlx::Error> {
    let steps = commit.changes.iter().flat_map(|change| {
        (change.expected + 1..).zip(&change.steps).map(|(number, step)| (&change.process.key, number, step))
    });
    let steps: Vec<_> = steps.collect();
    if steps.is_empty() {
        return Ok(());
    }
    let mark = sqlx::query(schema.sql(MARK))
        .bind(commit.process)
        .bind(steps.iter().map(|(key, ..)| (*key).clone()).collect::<Vec<_>>())
        .bind(steps.iter().map(|(.., step)| step.id.to_string()).collect::<Vec<_>>())
        .bind(steps.iter().map(|(_, step, _)| number(*step)).collect::<Vec<_>>())
        .bind(steps.iter().map(|(.., step)| step.what.clone()).collect::<Vec<_>>())
        .bind(steps.iter().map(|(.., step)| step.at.as_millisecond()).collect::<Vec<_>>());
    mark.execute(connection).await.map(drop)
}

/// Removes all that are set anew, taken back, or have fired, and those of processes that have ended.
async fn remove_deadlines(
    connection: &mut PgConnection,
    schema: &Schema,
    commit: &ProcessCommit,
) -> Result<(), sqlx::Error> {
    let named = commit.changes.iter().flat_map(|change| {
        change.deadlines.keys().map(|deadline| (change.process.key.clone(), deadline.clone()))
    });
    let (keys, deadlines): (Vec<_>, Vec<_>) = named.unzip();
    if !keys.is_empty() {
        let remove = sqlx::query(schema.sql(REMOVE_DEADLINES)).bind(commit.process).bind(keys);
        remove.bind(deadlines).execute(&mut *connection).await?;
    }
    let ended = commit.changes.iter().filter(|change| change.process.completed);
    let ended: Vec<_> = ended.map(|change| change.process.key.clone()).collect();
    if !ended.is_empty() {
        let end = sqlx::query(schema.sql(END_DEADLINES)).bind(commit.process).bind(ended);
        end.execute(connection).await?;
    }
    Ok(())
}

async fn set_deadlines(
    connection: &mut PgConnection,
    schema: &Schema,
    process: &str,
    deadlines: &[(PendingDeadline, String)],
) -> Result<(), sqlx::Error> {
    if deadlines.is_empty() {
        return Ok(());
    }
    let texts =
        |text: fn(&(PendingDeadline, String)) -> String| deadlines.iter().map(text).collect::<Vec<_>>();
    let set = sqlx::query(schema.sql(SET_DEADLINES))
        .bind(process)
        .bind(texts(|(pending, _)| pending.key.clone()))
        .bind(texts(|(pending, _)| pending.deadline.clone()))
        .bind(deadlines.iter().map(|(pending, _)| pending.at.as_millisecond()).collect::<Vec<_>>())
        .bind(texts(|(pending, _)| pending.cause.id.to_string()))
        .bind(texts(|(_, metadata)| metadata.clone()));
    set.execute(connection).await.map(drop)
}
