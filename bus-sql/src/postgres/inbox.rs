//! The inbox in PostgreSQL.

mod clean;
mod unit;

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::handler::Requirement;
use jitney_core::inbox::{Begun, Inbox};
use jitney_core::processed::{ProcessedEvents, ProcessedKey};
use jitney_sourcing::Error as StoreError;
use sqlx::{PgConnection, PgPool};

use self::unit::PostgresUnit;
use super::error::{Effect, failed};
use super::schema::Schema;
use super::store::PostgresStore;
use crate::inbox::{Keeping, stored_key};
use crate::tx::TxOwner;

/// In one order of keys, so that two batches with the same ones wait for each other and not both.
const MARK: &str = "
INSERT INTO {schema}.inbox (handler_group, is_natural, key, forget_at)
SELECT $1, is_natural, key, now() + make_interval(secs => CASE WHEN is_natural THEN $5 ELSE $4 END)
FROM unnest($2::boolean[], $3::text[]) AS keys (is_natural, key) ORDER BY is_natural, key
ON CONFLICT DO NOTHING RETURNING is_natural, key";

/// Who waits behind another transaction's mark has a connection meanwhile, and where nobody waits for it any more, the server goes
/// on with that statement: this is the end of it. What the limit was before is kept, and set again for the handler.
const BEGIN: &str = "
BEGIN;
SELECT set_config('jitney.lock_timeout', current_setting('lock_timeout'), true);
SET LOCAL lock_timeout = '3s'";

/// Sets the limit as it was, and says which transaction this is.
const MARKED: &str = "
SELECT set_config('lock_timeout', current_setting('jitney.lock_timeout'), true), pg_current_xact_id_if_assigned()::text";

const CONTAINS: &str = "
SELECT EXISTS (SELECT FROM {schema}.inbox WHERE handler_group = $1 AND is_natural = $2 AND key = $3)";

/// Which events groups of handlers have handled, marked in the transaction of what the handlers have done.
///
/// ```no_run
/// use jitney_core::outbox::Relay;
/// use jitney_core::{App, Bus};
/// use jitney_sql::{PostgresInbox, PostgresOutbox, PostgresStore};
///
/// # async fn example(bus: Bus) -> Result<(), Box<dyn std::error::Error>> {
/// let store = PostgresStore::connect("postgres://localhost/orders").await?;
/// let app = App::new("orders", bus.clone()).inbox(PostgresInbox::of(&store)); // and handlers that ask for `Tx<Postgres>`
/// let relay = Relay::new(PostgresOutbox::of(&store), &bus).spawn(); // publishes what those handlers return
/// # Ok(()) }
/// ```
///
/// A handler that asks for no transaction and is idempotent is marked here too, behind its work.
///
/// Marks of event ids are kept for 7 days, those of natural keys for ever, unless told. Those that are too old are deleted while
/// events are handled, a few at a time, at most every 10 minutes.
#[derive(Debug, Clone)]
pub struct PostgresInbox {
    store: PostgresStore,
    keeping: Keeping,
}

impl PostgresInbox {
    /// The inbox in schema `jitney` of the database at `url`; its tables are made where they are missing.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(PostgresInbox::of(&PostgresStore::connect(url).await?))
    }

    /// The inbox in schema `jitney` of the database of `pool`; its tables are made where they are missing. A handler that works in a
    /// transaction has one of the pool's connections meanwhile.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        Ok(PostgresInbox::of(&PostgresStore::from_pool(pool).await?))
    }

    /// The inbox beside the events of `store`, on its connections.
    pub fn of(store: &PostgresStore) -> Self {
        PostgresInbox { store: store.clone(), keeping: Keeping::default() }
    }

    /// Recognises events that come again for so long; for 7 days unless told. An event that is delivered again later than that,
    /// by a broker, from its dead letter, or by a replay, is handled again. This holds for marks that are made from now on, and for
    /// those of this inbox alone: other services in the same tables have times of their own.
    #[must_use]
    pub fn keep_for(mut self, time: Duration) -> Self {
        self.keeping.event_ids_for(time);
        self
    }

    /// Recognises natural keys for so long; for ever unless told.
    #[must_use]
    pub fn keep_natural_keys_for(mut self, time: Duration) -> Self {
        self.keeping.natural_keys_for(time);
        self
    }
}

/// Marks what of `keys` is not marked; answers for each whether it was before.
async fn mark(
    connection: &mut PgConnection,
    schema: &Schema,
    keeping: &Keeping,
    group: &str,
    keys: &[ProcessedKey<'_>],
) -> Result<Vec<bool>, sqlx::Error> {
    let natural: Vec<bool> = keys.iter().map(|key| key.is_natural).collect();
    let stored: Vec<_> = keys.iter().map(|key| stored_key(*key)).collect();
    let texts: Vec<&str> = stored.iter().map(|key| &**key).collect();
    let [ids_for, keys_for] =
        [false, true].map(|is_natural| keeping.time_of(is_natural).map(|time| time.as_secs_f64()));
    let insert =
        sqlx::query_as::<_, (bool, String)>(schema.sql(MARK)).bind(group).bind(&natural).bind(&texts);
    let insert = insert.bind(ids_for).bind(keys_for);
    let marked: HashSet<(bool, String)> = insert.fetch_all(connection).await?.into_iter().collect();
    let handled = natural
        .into_iter()
        .zip(stored)
        .map(|(is_natural, key)| !marked.contains(&(is_natural, key.into_owned())));
    Ok(handled.collect())
}

#[async_trait]
impl ProcessedEvents for PostgresInbox {
    fn forgets_on_restart(&self) -> bool {
        false
    }

    async fn contains(&self, group: &str, key: ProcessedKey<'_>) -> Result<bool, Error> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query_scalar(self.store.schema().sql(CONTAINS));
        let found =
            query.bind(group).bind(key.is_natural).bind(stored_key(key)).fetch_one(&mut *connection).await;
        Ok(found.map_err(|error| failed("looking into the inbox", error, Effect::None))?)
    }

    async fn mark(&self, group: &str, key: ProcessedKey<'_>) -> Result<(), Error> {
        let mut connection = self.store.connection().await?;
        let marked = mark(&mut connection, self.store.schema(), &self.keeping, group, &[key]).await;
        marked.map_err(|error| failed("marking an event in the inbox", error, Effect::None))?;
        self.clean_at_times();
        Ok(())
    }
}

#[async_trait]
impl Inbox for PostgresInbox {
    fn offers(&self) -> Requirement {
        unit::offer()
    }

    async fn begin(&self, group: &str, keys: &[ProcessedKey<'_>]) -> Result<Begun, Error> {
        let failed = |error| failed("beginning the transaction of an event", error, Effect::None);
        let mut transaction = self.store.pool().begin_with(BEGIN).await.map_err(failed)?;
        let handled =
            mark(&mut transaction, self.store.schema(), &self.keeping, group, keys).await.map_err(failed)?;
        let marked = sqlx::query_as::<_, (String, Option<String>)>(MARKED).fetch_one(&mut *transaction).await;
        let (_, id) = marked.map_err(failed)?;
        let unit = PostgresUnit { id, owner: TxOwner::of(transaction), inbox: self.clone() };
        Ok(Begun { unit: Box::new(unit), handled })
    }
}
