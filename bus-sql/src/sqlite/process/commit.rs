//! Steps: processes, marks, deadlines, messages and checkpoint in one transaction.

use jitney_sourcing::Error;
use jitney_sourcing::process::{CheckpointMove, PendingDeadline, ProcessChange, ProcessCommit};
use sqlx::SqliteConnection;

use super::parked::park;
use crate::process::{encoded, number};
use crate::sqlite::SqliteStore;
use crate::sqlite::error::{commit_failed, is_unique_violation};
use crate::sqlite::outbox::insert;

/// One that is there has been begun by another runner.
const BEGIN: &str = "INSERT INTO jitney_processes \
                     (process, key, version, state_version, state, compensations, completed, started, updated) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";

/// One of another version has made another step.
const MOVE_ON: &str = "UPDATE jitney_processes SET version = ?3, state_version = ?4, state = ?5, compensations = ?6, \
                       completed = ?7, updated = ?9 WHERE process = ?1 AND key = ?2 AND version = ?8";

const MARK: &str = "INSERT INTO jitney_process_steps (process, key, event_id, step, what, time) \
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const REMOVE_DEADLINE: &str =
    "DELETE FROM jitney_process_deadlines WHERE process = ?1 AND key = ?2 AND deadline = ?3";

const END_DEADLINES: &str = "DELETE FROM jitney_process_deadlines WHERE process = ?1 AND key = ?2";

const SET_DEADLINE: &str = "INSERT INTO jitney_process_deadlines (process, key, deadline, due, cause_id, metadata) \
                            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const CHECKPOINT: &str =
    "UPDATE jitney_process_feeds SET position = ?4 WHERE process = ?1 AND owner = ?2 AND position = ?3";

pub(super) async fn commit(store: &SqliteStore, mut commit: ProcessCommit) -> Result<(), Error> {
    let doing = format!("storing steps of `{}`", commit.process);
    let open = |error| store.failed(&doing, error);
    let (messages, deadlines) = encoded(&mut commit)?;
    let mut transaction = store.begin().await?;
    for change in &commit.changes {
        if !move_on(&mut transaction, commit.process, change).await.map_err(open)? {
            return Err(commit.moved(&change.process.key));
        }
        mark(&mut transaction, commit.process, change).await.map_err(|error| {
            match is_unique_violation(&error) {
                true => commit.conflict("one of them was made before"),
                false => open(error),
            }
        })?;
        remove_deadlines(&mut transaction, commit.process, change).await.map_err(open)?;
    }
    set_deadlines(&mut transaction, commit.process, &deadlines).await.map_err(open)?;
    insert(&mut transaction, &messages).await.map_err(open)?;
    for input in &commit.parked {
        park(&mut transaction, commit.process, input).await.map_err(open)?;
    }
    if let Some(CheckpointMove { owner, from, to }) = &commit.checkpoint {
        let moved = sqlx::query(CHECKPOINT).bind(commit.process).bind(owner);
        let moved = moved.bind(from.to_string()).bind(to.to_string()).execute(&mut *transaction).await;
        if moved.map_err(open)?.rows_affected() == 0 {
            return Err(commit.overtaken());
        }
    }
    transaction.commit().await.map_err(|error| commit_failed(store.place(), &doing, error))
}

/// Stores the process; false where it is not where it was expected.
async fn move_on(
    connection: &mut SqliteConnection,
    process: &str,
    change: &ProcessChange,
) -> Result<bool, sqlx::Error> {
    let (sql, eighth) = match change.expected {
        0 => (BEGIN, change.process.started_at.as_millisecond()),
        expected => (MOVE_ON, number(expected)),
    };
    let stored = sqlx::query(sql)
        .bind(process)
        .bind(&change.process.key)
        .bind(number(change.process.version))
        .bind(i64::from(change.process.state_version))
        .bind(&change.process.state)
        .bind(&change.process.compensations)
        .bind(i64::from(change.process.completed))
        .bind(eighth)
        .bind(change.process.updated_at.as_millisecond())
        .execute(connection)
        .await?;
    Ok(stored.rows_affected() > 0)
}

async fn mark(
    connection: &mut SqliteConnection,
    process: &str,
    change: &ProcessChange,
) -> Result<(), sqlx::Error> {
    for (step, made) in (change.expected + 1..).zip(&change.steps) {
        let mark = sqlx::query(MARK)
            .bind(process)
            .bind(&change.process.key)
            .bind(made.id.to_string())
            .bind(number(step))
            .bind(&made.what)
            .bind(made.at.as_millisecond());
        mark.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Removes all that are set anew, taken back, or have fired, and those of a process that has ended.
async fn remove_deadlines(
    connection: &mut SqliteConnection,
    process: &str,
    change: &ProcessChange,
) -> Result<(), sqlx::Error> {
    let key = &change.process.key;
    for deadline in change.deadlines.keys() {
        let remove = sqlx::query(REMOVE_DEADLINE).bind(process).bind(key).bind(deadline);
        remove.execute(&mut *connection).await?;
    }
    if change.process.completed {
        sqlx::query(END_DEADLINES).bind(process).bind(key).execute(connection).await?;
    }
    Ok(())
}

async fn set_deadlines(
    connection: &mut SqliteConnection,
    process: &str,
    deadlines: &[(PendingDeadline, String)],
) -> Result<(), sqlx::Error> {
    for (pending, metadata) in deadlines {
        let set = sqlx::query(SET_DEADLINE)
            .bind(process)
            .bind(&pending.key)
            .bind(&pending.deadline)
            .bind(pending.at.as_millisecond())
            .bind(pending.cause.id.to_string())
            .bind(metadata);
        set.execute(&mut *connection).await?;
    }
    Ok(())
}
