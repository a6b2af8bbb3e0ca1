//! The outbox in PostgreSQL.

mod relay;

use std::sync::Arc;

use jitney_core::outbox::OutboxEvent;
use jitney_core::{Error, Id, Keyed};
use jitney_sourcing::Error as StoreError;
use sqlx::{PgConnection, PgPool};
use tokio::sync::{Mutex, watch};

use super::error::{Effect, failed};
use super::schema::Schema;
use super::store::PostgresStore;
use crate::outbox::Row;

const INSERT: &str = "
INSERT INTO {schema}.outbox (shard, topic, key, time_ms, body)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::text[])";

/// Events that are stored in the transaction of what they are about, and published from there by a
/// [`Relay`](jitney_core::outbox::Relay).
///
/// ```no_run
/// use jitney_core::outbox::Relay;
/// use jitney_core::{Bus, Keyed};
/// use jitney_sql::{PostgresOutbox, sqlx};
///
/// # async fn example<E: Keyed>(pool: sqlx::PgPool, bus: Bus, order_paid: E) -> Result<(), Box<dyn std::error::Error>> {
/// let outbox = PostgresOutbox::from_pool(pool.clone()).await?;
/// let relay = Relay::new(outbox.clone(), &bus).spawn();
///
/// let mut transaction = pool.begin().await?;
/// sqlx::query("UPDATE orders SET paid = true WHERE id = 42").execute(&mut *transaction).await?;
/// outbox.publish(&mut transaction, &order_paid).await?;
/// transaction.commit().await?; // the change and its event, or neither
/// # relay.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresOutbox {
    store: PostgresStore,
    notifies: bool,
    /// What this relay has heard of.
    heard: Arc<Mutex<Option<watch::Receiver<u64>>>>,
}

impl PostgresOutbox {
    /// The outbox in schema `jitney` of the database at `url`; its tables are made where they are missing.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(PostgresOutbox::of(&PostgresStore::connect(url).await?))
    }

    /// The outbox in schema `jitney` of the database of `pool`; its tables are made where they are missing.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        Ok(PostgresOutbox::of(&PostgresStore::from_pool(pool).await?))
    }

    /// The outbox beside the events of `store`.
    pub fn of(store: &PostgresStore) -> Self {
        PostgresOutbox { store: store.clone(), notifies: true, heard: Arc::default() }
    }

    /// Does not notify relays in the transaction of the event. A transaction that notifies waits for others that do, while it
    /// commits; without it, relays hear of the event by [`wake_relays`](Self::wake_relays), or when they next look.
    #[must_use]
    pub fn without_notify(mut self) -> Self {
        self.notifies = false;
        self
    }

    /// Stores `event` when the transaction that is open on `connection` is committed. Answers its id.
    ///
    /// # Errors
    ///
    /// When the event cannot be encoded, or the database does not take it: the transaction is then to be rolled back.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the transaction is to be rolled back.
    pub async fn publish<E: Keyed>(&self, connection: &mut PgConnection, event: &E) -> Result<Id, Error> {
        self.add(connection, OutboxEvent::new(self.store.env(), event)?).await
    }

    /// The same for an event that says more: whose it is, what it follows from, of which aggregate it is.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Cancellation
    ///
    /// As [`publish`](Self::publish).
    pub async fn add(&self, connection: &mut PgConnection, event: OutboxEvent) -> Result<Id, Error> {
        let id = event.head.event_id.clone();
        let event = self.store.sealing().seal_outgoing(event).await?;
        let failed = |error| failed("putting an event into the outbox", error, Effect::None);
        insert(connection, self.store.schema(), &[Row::new(event)?]).await.map_err(failed)?;
        if self.notifies {
            self.store.news().tell_in(connection, self.store.schema()).await.map_err(failed)?;
        }
        Ok(id)
    }

    /// Lets relays look for events at once, here and in other processes: to be called behind a commit, where the transaction
    /// did not notify.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn wake_relays(&self) {
        self.store.wake_readers();
    }
}

/// Inserts `rows`, in their order.
pub(super) async fn insert(
    connection: &mut PgConnection,
    schema: &Schema,
    rows: &[Row],
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let texts = |text: fn(&Row) -> &String| rows.iter().map(text).collect::<Vec<_>>();
    let insert = sqlx::query(schema.sql(INSERT))
        .bind(rows.iter().map(|row| row.shard).collect::<Vec<_>>())
        .bind(texts(|row| &row.topic))
        .bind(texts(|row| &row.key))
        .bind(rows.iter().map(|row| row.time_ms).collect::<Vec<_>>())
        .bind(texts(|row| &row.body));
    insert.execute(connection).await.map(drop)
}
