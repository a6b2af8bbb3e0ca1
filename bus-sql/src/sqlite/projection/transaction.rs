//! Transactions of a build: what is applied, and the checkpoint with it.

use std::collections::HashSet;

use jitney_sourcing::projection::{Build, BuildId, BuildState, ReadModelTransaction, Step};
use jitney_sourcing::{Error, ErrorKind};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::{BUILD, SqliteReadModel, copy, integer, looking};
use crate::projection::{ShardRow, builds, number, text};
use crate::sqlite::SqliteStore;
use crate::sqlite::error::commit_failed;

const ADVANCE: &str = "UPDATE jitney_projection_shards \
                       SET position = ?5, handled = handled + ?6, last_time = coalesce(?7, last_time) \
                       WHERE build = ?1 AND shard = ?2 AND epoch = ?3 AND position = ?4 \
                       AND EXISTS (SELECT 1 FROM jitney_projections p WHERE p.build = ?1 AND p.state = ?8 AND NOT p.paused \
                       AND NOT p.inline)";

const PASS: &str = "INSERT INTO jitney_projection_passed (build, event_id, skipped, event) VALUES (?1, ?2, ?3, ?4) \
                    ON CONFLICT (build, event_id) DO NOTHING";

const OBJECTS: &str = "SELECT type, name FROM main.sqlite_schema \
                       WHERE type <> 'index' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
                       AND name NOT LIKE 'jitney\\_%' ESCAPE '\\'";

const ADD_OBJECT: &str = "INSERT INTO jitney_projection_objects (projection, type, name) VALUES (?1, ?2, ?3)";

/// A transaction of a [`SqliteReadModel`].
#[derive(Debug)]
pub struct SqliteTransaction {
    model: SqliteReadModel,
    pub(super) file: SqliteStore,
    pub(super) transaction: Transaction<'static, Sqlite>,
    pub(super) build: BuildId,
    /// Whether the build takes events of a bus, as it was seen in this transaction.
    pub(super) is_open: bool,
    /// What was there before a build that is being made.
    before: Option<HashSet<(String, String)>>,
}

impl SqliteTransaction {
    pub(super) async fn begin(model: &SqliteReadModel, build: &BuildId) -> Result<Self, Error> {
        let Some(file) = model.file_of(build).await? else {
            let name = &build.projection;
            let what = format!("{}: the file of the build is not there any more", doing(build));
            tracing::debug!(projection = name, build = build.number, "a build has gone");
            return Err(Error::new(ErrorKind::Store, what).retryable(true));
        };
        let transaction = file.begin().await?;
        Ok(SqliteTransaction {
            model: model.clone(),
            file,
            transaction,
            build: build.clone(),
            is_open: false,
            before: None,
        })
    }

    /// The transaction that makes a build: what it creates belongs to the projection.
    pub(super) async fn of_new(
        model: &SqliteReadModel,
        file: SqliteStore,
        mut transaction: Transaction<'static, Sqlite>,
        build: BuildId,
    ) -> Result<Self, Error> {
        let before = objects(&mut transaction).await;
        let before = Some(before.map_err(|error| file.failed(&doing(&build), error))?);
        Ok(SqliteTransaction { model: model.clone(), file, transaction, build, is_open: false, before })
    }

    async fn own_what_was_made(&mut self, before: &HashSet<(String, String)>) -> Result<(), sqlx::Error> {
        let now = objects(&mut self.transaction).await?;
        for (kind, name) in now.difference(before) {
            let add = sqlx::query(ADD_OBJECT).bind(&self.build.projection).bind(kind).bind(name);
            add.execute(&mut *self.transaction).await?;
        }
        Ok(())
    }
}

impl ReadModelTransaction for SqliteTransaction {
    type Connection = SqliteConnection;

    fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    async fn advance(&mut self, step: &Step<'_>) -> Result<bool, Error> {
        let doing = doing(&self.build);
        let failed = |error| self.file.failed(&doing, error);
        let moved = sqlx::query(ADVANCE)
            .bind(integer(self.build.number))
            .bind(i64::from(step.shard))
            .bind(integer(step.epoch))
            .bind(step.from.to_string())
            .bind(step.to.to_string())
            .bind(integer(step.handled))
            .bind(step.last_time.map(|time| time.as_millisecond()))
            .bind(number(self.build.state))
            .execute(&mut *self.transaction)
            .await
            .map_err(failed)?;
        if moved.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(passed) = step.passed {
            sqlx::query(PASS)
                .bind(integer(self.build.number))
                .bind(passed.event.event_id.to_string())
                .bind(passed.skipped)
                .bind(text(&passed.event))
                .execute(&mut *self.transaction)
                .await
                .map_err(failed)?;
        }
        Ok(true)
    }

    /// Begins anew with both files locked.
    async fn lock(&mut self) -> Result<Vec<Build>, Error> {
        let projection = self.build.projection.clone();
        self.transaction = copy::begin(&self.model, &self.file, &mut self.transaction).await?;
        let failed = |error| self.file.failed(&looking(&projection), error);
        let live = BUILD.replace("jitney_", "live.jitney_");
        let mut all = Vec::new();
        for (state, sql) in [(BuildState::Live, live), (BuildState::Next, BUILD.to_owned())] {
            let query = sqlx::query_as::<_, ShardRow>(sqlx::AssertSqlSafe(sql));
            let query = query.bind(&projection).bind(number(state));
            all.extend(query.fetch_all(&mut *self.transaction).await.map_err(failed)?);
        }
        builds(&projection, all)
    }

    async fn replace(&mut self) -> Result<bool, Error> {
        copy::replace(&self.file, &mut self.transaction, &self.build).await.map(|()| true)
    }

    async fn commit(mut self) -> Result<(), Error> {
        let doing = doing(&self.build);
        if let Some(before) = self.before.take() {
            self.own_what_was_made(&before).await.map_err(|error| self.file.failed(&doing, error))?;
        }
        let committed = self.transaction.commit().await;
        committed.map_err(|error| commit_failed(self.file.place(), &doing, error))
    }
}

async fn objects(connection: &mut SqliteConnection) -> Result<HashSet<(String, String)>, sqlx::Error> {
    Ok(sqlx::query_as(OBJECTS).fetch_all(connection).await?.into_iter().collect())
}

pub(super) fn doing(build: &BuildId) -> String {
    format!("applying events to projection `{}`", build.projection)
}
