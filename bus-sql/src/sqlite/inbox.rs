//! The inbox in SQLite.

mod clean;
mod unit;

use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::handler::Requirement;
use jitney_core::inbox::{Begun, Inbox};
use jitney_core::processed::{ProcessedEvents, ProcessedKey};
use sqlx::SqliteConnection;

use self::unit::{Mark, SqliteUnit};
use super::SqliteStore;
use super::error::commit_failed;
use crate::inbox::{Keeping, stored_key};
use crate::tx::TxOwner;

const MARK: &str = "INSERT INTO jitney_inbox (handler_group, is_natural, key, forget_at) VALUES (?1, ?2, ?3, ?4) \
                    ON CONFLICT DO NOTHING";

const CONTAINS: &str =
    "SELECT EXISTS (SELECT 1 FROM jitney_inbox WHERE handler_group = ?1 AND is_natural = ?2 AND key = ?3)";

/// Which events groups of handlers have handled, marked in the transaction of what the handlers have done.
///
/// ```no_run
/// use jitney_core::outbox::Relay;
/// use jitney_core::{App, Bus};
/// use jitney_sql::{SqliteInbox, SqliteOutbox, SqliteStore};
///
/// # async fn example(bus: Bus) -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open("orders.db").await?;
/// let app = App::new("orders", bus.clone()).inbox(SqliteInbox::of(&store)); // and handlers that ask for `Tx<Sqlite>`
/// let relay = Relay::new(SqliteOutbox::of(&store), &bus).spawn(); // publishes what those handlers return
/// # Ok(()) }
/// ```
///
/// A handler that asks for no transaction and is idempotent is marked here too, behind its work.
///
/// Marks of event ids are kept for 7 days, those of natural keys for ever, unless told. Those that are too old are deleted while
/// events are handled, a few at a time, at most every 10 minutes.
///
/// One transaction writes at a time: handlers that ask for one run one after the other, whatever their concurrency, and what such a
/// handler writes it has to write through its `Tx`.
#[derive(Debug, Clone)]
pub struct SqliteInbox {
    store: SqliteStore,
    keeping: Keeping,
}

impl SqliteInbox {
    /// The inbox in the database of `store`.
    pub fn of(store: &SqliteStore) -> Self {
        SqliteInbox { store: store.clone(), keeping: Keeping::default() }
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

    fn now_ms(&self) -> i64 {
        self.store.env().now().as_millisecond()
    }
}

/// Marks what of `keys` is not marked; answers for each whether it was before.
async fn mark(
    connection: &mut SqliteConnection,
    inbox: &SqliteInbox,
    group: &str,
    keys: &[ProcessedKey<'_>],
) -> Result<Vec<bool>, sqlx::Error> {
    let now_ms = inbox.now_ms();
    let mut handled = Vec::with_capacity(keys.len());
    for key in keys {
        let insert = sqlx::query(MARK).bind(group).bind(key.is_natural).bind(stored_key(*key));
        let time = inbox.keeping.time_of(key.is_natural);
        let forget_at =
            time.map(|time| now_ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
        let insert = insert.bind(forget_at);
        handled.push(insert.execute(&mut *connection).await?.rows_affected() == 0);
    }
    Ok(handled)
}

#[async_trait]
impl ProcessedEvents for SqliteInbox {
    fn forgets_on_restart(&self) -> bool {
        !self.store.is_durable()
    }

    async fn contains(&self, group: &str, key: ProcessedKey<'_>) -> Result<bool, Error> {
        let mut connection = self.store.reader().await?;
        let query = sqlx::query_scalar(CONTAINS).bind(group).bind(key.is_natural).bind(stored_key(key));
        let found = query.fetch_one(&mut *connection).await;
        Ok(found.map_err(|error| self.store.failed("looking into the inbox", error))?)
    }

    async fn mark(&self, group: &str, key: ProcessedKey<'_>) -> Result<(), Error> {
        const DOING: &str = "marking an event in the inbox";
        let mut transaction = self.store.begin().await?;
        let marked = mark(&mut transaction, self, group, &[key]).await;
        marked.map_err(|error| self.store.failed(DOING, error))?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(self.store.place(), DOING, error))?;
        self.clean_at_times();
        Ok(())
    }
}

#[async_trait]
impl Inbox for SqliteInbox {
    fn offers(&self) -> Requirement {
        unit::offer()
    }

    async fn begin(&self, group: &str, keys: &[ProcessedKey<'_>]) -> Result<Begun, Error> {
        let mut transaction = self.store.begin().await?;
        let handled = mark(&mut transaction, self, group, keys).await;
        let handled =
            handled.map_err(|error| self.store.failed("beginning the transaction of an event", error))?;
        let new = keys.iter().zip(&handled).find(|(_, handled)| !**handled);
        let mark = new.map(|(key, _)| Mark {
            group: group.to_owned(),
            is_natural: key.is_natural,
            key: stored_key(*key).into_owned(),
        });
        let unit = SqliteUnit { mark, owner: TxOwner::of(transaction), inbox: self.clone() };
        Ok(Begun { unit: Box::new(unit), handled })
    }
}
