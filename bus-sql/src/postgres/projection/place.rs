//! The places of builds: schemas that are made, renamed and dropped.

use jitney_sourcing::projection::{BuildState, NewBuild};
use jitney_sourcing::{Error, ErrorKind};
use sqlx::{Acquire, PgConnection};

use super::transaction::PostgresTransaction;
use super::{inline, schema_of};
use crate::postgres::error::{Effect, failed};
use crate::postgres::schema::Schema;
use crate::postgres::store::PostgresStore;
use crate::projection::number;

/// Builds of a projection are made, swapped and dropped one after the other.
const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('jitney projection ' || $1 || ' ' || $2, 0))";

const ADD: &str = "
INSERT INTO {schema}.projections (projection, state, version, live_from, paused)
VALUES ($1, $2, $3, $4, EXISTS (SELECT FROM {schema}.projections WHERE projection = $1 AND state = 0 AND paused))
ON CONFLICT (projection, state) WHERE state < 2 DO NOTHING RETURNING build";

const ADD_SHARDS: &str = "
INSERT INTO {schema}.projection_shards (build, shard) SELECT $1, generate_series(0, $2 - 1)";

const IS_MADE: &str = "
SELECT EXISTS (SELECT FROM {schema}.projections WHERE projection = $1 AND state = 1 AND version >= $2)";

const REMOVE_NEXT: &str = "DELETE FROM {schema}.projections WHERE projection = $1 AND state = 1";

/// Whoever moved a shard of one of the two builds, or waits to do so, has lost it.
const FENCE: &str = "
UPDATE {schema}.projection_shards SET epoch = epoch + 1
WHERE build IN (SELECT build FROM {schema}.projections WHERE projection = $1 AND state < 2)";

const RETIRE: &str = "UPDATE {schema}.projections SET state = 2 WHERE projection = $1 AND state = 0";

const LET_IN: &str = "UPDATE {schema}.projections SET state = 0 WHERE projection = $1 AND state = 1";

const RETIRED: &str = "SELECT EXISTS (SELECT FROM {schema}.projections WHERE projection = $1 AND state = 2)";

const REMOVE_RETIRED: &str = "DELETE FROM {schema}.projections WHERE projection = $1 AND state = 2";

/// A reader of the old tables holds a drop up for as long as its transaction is open. Less than the shortest lease.
const PATIENCE: &str = "SET LOCAL lock_timeout = '200ms'";

const DROP: &str = "DROP SCHEMA IF EXISTS {schema} CASCADE";

const CREATE: &str = "CREATE SCHEMA {schema}";

/// The SQLSTATE of a schema that exists.
const EXISTS: &str = "42P06";

/// Records a build, and makes its schema.
pub(super) async fn begin(
    store: &PostgresStore,
    new: &NewBuild,
) -> Result<Option<PostgresTransaction>, Error> {
    let (projection, schema) = (&*new.projection, store.schema());
    let doing = format!("making projection `{projection}`");
    let failed = |error| failed(&doing, error, Effect::None);
    let place = schema_of(projection, new.state)?;
    let mut transaction = store.pool().begin().await.map_err(failed)?;
    lock(&mut transaction, schema, projection).await.map_err(failed)?;
    if new.state == BuildState::Next {
        // Somebody else was quicker.
        let is_made = sqlx::query_scalar(schema.sql(IS_MADE)).bind(projection).bind(i64::from(new.version));
        if is_made.fetch_one(&mut *transaction).await.map_err(failed)? {
            return Ok(None);
        }
        let remove = sqlx::query(schema.sql(REMOVE_NEXT)).bind(projection);
        let removed = remove.execute(&mut *transaction).await.map_err(failed)?;
        // Without a build there, the schema is somebody else's.
        if removed.rows_affected() > 0 {
            sqlx::raw_sql(place.sql(DROP)).execute(&mut *transaction).await.map_err(failed)?;
        }
    }
    let add = sqlx::query_scalar(schema.sql(ADD))
        .bind(projection)
        .bind(number(new.state))
        .bind(i64::from(new.version))
        .bind(new.live_from.to_string());
    let Some(build) = add.fetch_optional(&mut *transaction).await.map_err(failed)? else { return Ok(None) };
    let build: i64 = build;
    let add_shards = sqlx::query(schema.sql(ADD_SHARDS)).bind(build).bind(i32::from(new.shards));
    add_shards.execute(&mut *transaction).await.map_err(failed)?;
    let create = sqlx::raw_sql(place.sql(CREATE)).execute(&mut *transaction).await;
    create.map_err(|error| taken(&doing, &place, error))?;
    let id = jitney_sourcing::projection::BuildId {
        projection: projection.to_owned(),
        number: build.unsigned_abs(),
        state: new.state,
    };
    PostgresTransaction::of(store, transaction, id).in_place().await.map(Some)
}

/// The error of a schema that could not be called as `place` is.
fn taken(doing: &str, place: &Schema, error: sqlx::Error) -> Error {
    let is_there =
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == EXISTS);
    if !is_there {
        return failed(doing, error, Effect::None);
    }
    let what = format!(
        "{doing}: there is a schema `{}` that was not made for it; drop it, or give the projection another name",
        place.name()
    );
    Error::new(ErrorKind::Config, what).with_source(error)
}

/// Lets the next build of a projection take the place of the live one. False where the last one's is still there.
pub(super) async fn replace(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &str,
) -> Result<bool, Error> {
    let doing = format!("swapping projection `{projection}`");
    let failed = |error| failed(&doing, error, Effect::None);
    // The schema of the last build is still there: it is removed first, outside of what everybody waits for.
    if has_retired(connection, schema, projection).await.map_err(failed)? {
        return Ok(false);
    }
    if inline::is_inline(connection, schema, projection).await.map_err(failed)? {
        inline::let_go(connection, schema, projection).await.map_err(failed)?;
    }
    for change in [FENCE, RETIRE, LET_IN] {
        sqlx::query(schema.sql(change)).bind(projection).execute(&mut *connection).await.map_err(failed)?;
    }
    let (live, next) = (schema_of(projection, BuildState::Live)?, schema_of(projection, BuildState::Next)?);
    let old = old(projection)?;
    for (from, to) in [(&live, &old), (&next, &live)] {
        let rename = from.sql(&format!("ALTER SCHEMA {{schema}} RENAME TO \"{}\"", to.name()));
        let renamed = sqlx::raw_sql(rename).execute(&mut *connection).await;
        renamed.map_err(|error| taken(&doing, to, error))?;
    }
    Ok(true)
}

/// Drops what is left of a build whose place was taken.
pub(super) async fn clean_up(store: &PostgresStore, projection: &str) -> Result<(), Error> {
    let doing = format!("dropping what is left of the last build of projection `{projection}`");
    let failed = |error| failed(&doing, error, Effect::None);
    let (mut connection, schema) = (store.connection().await?, store.schema());
    if !has_retired(&mut connection, schema, projection).await.map_err(failed)? {
        return Ok(());
    }
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::query(PATIENCE).execute(&mut *transaction).await.map_err(failed)?;
    lock(&mut transaction, schema, projection).await.map_err(failed)?;
    // Somebody else may have been quicker; then a schema of that name is not of a build.
    let remove = sqlx::query(schema.sql(REMOVE_RETIRED)).bind(projection);
    if remove.execute(&mut *transaction).await.map_err(failed)?.rows_affected() > 0 {
        sqlx::raw_sql(old(projection)?.sql(DROP)).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

async fn has_retired(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(schema.sql(RETIRED)).bind(projection).fetch_one(connection).await
}

/// The schema that the last build has until it is dropped.
fn old(projection: &str) -> Result<Schema, Error> {
    Schema::new(&format!("{projection}__old"))
}

/// Waits for whoever makes, swaps or drops a build of the projection. Before any shard of it is locked: all take one way.
pub(super) async fn lock(
    connection: &mut PgConnection,
    schema: &Schema,
    projection: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(LOCK).bind(schema.name()).bind(projection).execute(connection).await.map(drop)
}
