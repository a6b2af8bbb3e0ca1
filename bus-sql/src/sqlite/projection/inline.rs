//! Builds that appends keep up: made so while nobody appends.

use jitney_sourcing::projection::{Build, BuildId, InlineReadModel, ReadModelTransaction};
use jitney_sourcing::{Error, Filter, Page, Position};

use super::{BUILD, SqliteReadModel, SqliteTransaction, integer};
use crate::projection::{ShardRow, builds, number};
use crate::sqlite::read;

/// Whoever had a shard has lost it.
const FENCE: &str = "UPDATE jitney_projection_shards SET epoch = epoch + 1, worker = NULL WHERE build = ?1";

const MAKE: &str = "UPDATE jitney_projections SET inline = 1 WHERE build = ?1";

impl InlineReadModel for SqliteReadModel {
    async fn begin_inline(
        &self,
        id: &BuildId,
    ) -> Result<Option<(SqliteTransaction, Build, Position)>, Error> {
        let projection = &*id.projection;
        let doing = format!("making projection `{projection}` inline");
        let failed = |error| self.store.failed(&doing, error);
        // It has the turn to write: nobody appends beside it.
        let mut transaction = SqliteTransaction::begin(self, id).await?;
        let rows = sqlx::query_as::<_, ShardRow>(BUILD).bind(projection).bind(number(id.state));
        let rows = rows.fetch_all(transaction.connection()).await.map_err(failed)?;
        let build = builds(projection, rows)?.into_iter().find(|build| build.id == *id && !build.inline);
        let Some(build) = build else { return Ok(None) };
        let end = Position::at([read::newest(&self.store, transaction.connection()).await?]);
        Ok(Some((transaction, build, end)))
    }

    async fn read_all(
        &self,
        transaction: &mut SqliteTransaction,
        after: &Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<Page, Error> {
        read::all(&self.store, transaction.connection(), after, filter, limit).await
    }

    async fn make_inline(&self, mut transaction: SqliteTransaction) -> Result<(), Error> {
        let BuildId { projection, number, .. } = transaction.build.clone();
        let doing = format!("making projection `{projection}` inline");
        for change in [FENCE, MAKE] {
            let change = sqlx::query(change).bind(integer(number)).execute(transaction.connection()).await;
            change.map_err(|error| self.store.failed(&doing, error))?;
        }
        transaction.commit().await
    }
}
