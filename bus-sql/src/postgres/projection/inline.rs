//! Builds that appends keep up: made so, and let go again, while nobody appends.

use jitney_sourcing::projection::{Build, BuildId, BuildState, InlineReadModel, ReadModelTransaction};
use jitney_sourcing::{Error, Filter, Page, Position};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{BUILDS, PostgresReadModel, PostgresTransaction, place};
use crate::postgres::error::{Effect, failed};
use crate::postgres::read;
use crate::postgres::row::from_u64;
use crate::postgres::schema::Schema;
use crate::projection::{ShardRow, builds};

const IS_INLINE: &str =
    "SELECT EXISTS (SELECT FROM {schema}.projections WHERE projection = $1 AND state = 0 AND inline)";

/// Whoever appends is waited for, and so is everybody who has what is locked behind that, for so long each: who would append waits
/// meanwhile.
const PATIENCE: &str = "SET LOCAL lock_timeout = '5s'";

/// A process that stands still in the middle of it holds nobody up for longer.
const AWAKE: &str = "SET LOCAL idle_in_transaction_session_timeout = '15s'";

const NO_APPENDS: &str = "LOCK TABLE {schema}.events IN SHARE ROW EXCLUSIVE MODE";

const LOCK: &str = "SELECT FROM {schema}.projection_shards WHERE build = $1 ORDER BY shard FOR UPDATE";

/// Whoever had a shard has lost it.
const FENCE: &str = "UPDATE {schema}.projection_shards SET epoch = epoch + 1, worker = NULL WHERE build = $1";

const MAKE: &str = "UPDATE {schema}.projections SET inline = true WHERE build = $1";

/// Whether appends keep the live build of a projection up.
pub(super) async fn is_inline(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(schema.sql(IS_INLINE)).bind(projection).fetch_one(connection).await
}

/// Waits until nobody appends, and has everybody wait who would, until the transaction ends.
pub(super) async fn hold_up_appends(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &str,
) -> Result<(), Error> {
    for sql in [PATIENCE, AWAKE, NO_APPENDS] {
        let done = sqlx::raw_sql(schema.sql(sql)).execute(&mut *connection).await;
        done.map_err(|error| {
            let doing =
                format!("waiting for those who append, to make projection `{projection}` inline or anew");
            failed(&doing, error, Effect::None)
        })?;
    }
    Ok(())
}

/// Appends need no longer keep the live build of a projection up.
pub(super) async fn let_go(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &str,
) -> Result<(), sqlx::Error> {
    let drop = format!("DROP TRIGGER IF EXISTS \"inline_{projection}\" ON {{schema}}.events");
    sqlx::raw_sql(schema.sql(&drop)).execute(connection).await.map(|_| ())
}

impl InlineReadModel for PostgresReadModel {
    async fn begin_inline(
        &self,
        id: &BuildId,
    ) -> Result<Option<(PostgresTransaction, Build, Position)>, Error> {
        let (projection, schema) = (&*id.projection, self.store.schema());
        let doing = format!("making projection `{projection}` inline");
        let failed = |error| failed(&doing, error, Effect::None);
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
        let begun = self.store.pool().begin_with(AssertSqlSafe(begin)).await;
        let mut transaction = begun.map_err(failed)?;
        hold_up_appends(&mut transaction, schema, projection).await?;
        place::lock(&mut transaction, schema, projection).await.map_err(failed)?;
        let lock = sqlx::query(schema.sql(LOCK)).bind(from_u64(id.number));
        lock.execute(&mut *transaction).await.map_err(failed)?;
        let rows = sqlx::query_as::<_, ShardRow>(schema.sql(BUILDS)).bind(projection);
        let rows = rows.fetch_all(&mut *transaction).await.map_err(failed)?;
        let build = builds(projection, rows)?.into_iter().find(|build| build.id == *id && !build.inline);
        let Some(build) = build.filter(|build| build.id.state == BuildState::Live) else { return Ok(None) };
        let end = read::end(&mut transaction, schema).await?;
        let transaction = PostgresTransaction::of(&self.store, transaction, id.clone()).in_place().await?;
        Ok(Some((transaction, build, end)))
    }

    async fn read_all(
        &self,
        transaction: &mut PostgresTransaction,
        after: &Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<Page, Error> {
        read::all(transaction.connection(), self.store.schema(), after, filter, limit).await
    }

    async fn make_inline(&self, mut transaction: PostgresTransaction) -> Result<(), Error> {
        let (BuildId { projection, number, .. }, schema) = (transaction.build.clone(), self.store.schema());
        let doing = format!("making projection `{projection}` inline");
        let failed = |error| failed(&doing, error, Effect::None);
        for change in [FENCE, MAKE] {
            let change = sqlx::query(schema.sql(change)).bind(from_u64(number));
            change.execute(transaction.connection()).await.map_err(failed)?;
        }
        let trigger = format!(
            "CREATE TRIGGER \"inline_{projection}\" BEFORE INSERT ON {{schema}}.events FOR EACH STATEMENT \
             EXECUTE FUNCTION {{schema}}.refuse_without_inline('{projection}/{number}')"
        );
        sqlx::raw_sql(schema.sql(&trigger)).execute(transaction.connection()).await.map_err(failed)?;
        transaction.commit().await
    }
}
