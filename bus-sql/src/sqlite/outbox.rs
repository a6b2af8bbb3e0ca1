//! The outbox in SQLite.

mod relay;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use jitney_core::outbox::OutboxEvent;
use jitney_core::{Error, Id, Keyed};
use sqlx::SqliteConnection;

use super::SqliteStore;
use crate::outbox::Row;

const INSERT: &str = "INSERT INTO jitney_outbox (shard, topic, key, time, body) VALUES (?1, ?2, ?3, ?4, ?5)";

/// Events that are stored in the transaction of what they are about, and published from there by a
/// [`Relay`](jitney_core::outbox::Relay).
///
/// ```no_run
/// use jitney_core::outbox::Relay;
/// use jitney_core::{Bus, Keyed};
/// use jitney_sql::{SqliteOutbox, SqliteStore, sqlx};
///
/// # async fn example<E: Keyed>(bus: Bus, order_paid: E) -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open("orders.db").await?;
/// let outbox = SqliteOutbox::of(&store);
/// let relay = Relay::new(outbox.clone(), &bus).spawn();
///
/// let mut transaction = store.begin().await?;
/// sqlx::query("UPDATE orders SET paid = true WHERE id = 42").execute(&mut *transaction).await?;
/// outbox.publish(&mut transaction, &order_paid).await?;
/// transaction.commit().await?; // the change and its event, or neither
/// # relay.shutdown().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteOutbox {
    store: SqliteStore,
    /// The newest place that this relay has heard of.
    newest: Arc<AtomicI64>,
}

impl SqliteOutbox {
    /// The outbox in the database of `store`.
    pub fn of(store: &SqliteStore) -> Self {
        SqliteOutbox { store: store.clone(), newest: Arc::new(AtomicI64::new(-1)) }
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
    pub async fn publish<E: Keyed>(&self, connection: &mut SqliteConnection, event: &E) -> Result<Id, Error> {
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
    pub async fn add(&self, connection: &mut SqliteConnection, event: OutboxEvent) -> Result<Id, Error> {
        let id = event.head.event_id.clone();
        let event = self.store.sealing().seal_outgoing(event).await?;
        let inserted = insert(connection, &[Row::new(event)?]).await;
        inserted.map_err(|error| self.store.failed("putting an event into the outbox", error))?;
        Ok(id)
    }
}

/// Inserts `rows`, in their order.
pub(super) async fn insert(connection: &mut SqliteConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    for row in rows {
        let insert = sqlx::query(INSERT).bind(row.shard).bind(&row.topic).bind(&row.key);
        insert.bind(row.time_ms).bind(&row.body).execute(&mut *connection).await?;
    }
    Ok(())
}
