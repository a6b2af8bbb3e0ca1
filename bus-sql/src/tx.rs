//! The transaction that a handler works in, and who lends it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jitney_core::Error;
use sqlx::{Database, Transaction};

/// The transaction in which the handler's event is marked as handled: an argument of a handler, behind its event.
///
/// It is the connection of sqlx: what is executed on it, and what the handler returns, is committed when the handler has
/// succeeded, and rolled back where it fails, panics, or takes too long. The application needs an inbox of the same database.
///
/// ```
/// use jitney_core::handler::{HandlerSet, HandlerSpec};
/// # use jitney_core::event::{DecodeError, DomainEvent, EventType, StoredPayload, Version};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct OrderPaid { order_id: String }
/// # impl DomainEvent for OrderPaid {
/// #     const TYPES: &'static [EventType] = &[EventType::new("OrderPaid", "Order", Version::new(1, 0), "Order-events")];
/// #     fn event_type(&self) -> &'static EventType { &Self::TYPES[0] }
/// #     fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> { payload.read() }
/// # }
/// # #[cfg(feature = "postgres")] use jitney_sql::sqlx::Postgres as Db;
/// # #[cfg(not(feature = "postgres"))] use jitney_sql::sqlx::Sqlite as Db;
/// use jitney_sql::{Tx, sqlx};
///
/// async fn book(paid: OrderPaid, mut tx: Tx<Db>) -> Result<(), sqlx::Error> {
///     let insert = sqlx::query("INSERT INTO payments (order_id) VALUES ($1)").bind(paid.order_id);
///     insert.execute(&mut *tx).await.map(drop)
/// }
///
/// // With `#[handler(idempotent)]` on the function, `handlers![book]` is the same.
/// let handlers = HandlerSet::new().handler(HandlerSpec::new("book").idempotent(), book);
/// ```
///
/// It goes back when it is dropped. A handler that still has it when it has returned (in a task that it spawned, for example) has
/// failed, and its event becomes a dead letter. `begin` on it opens a savepoint.
pub struct Tx<DB: Database> {
    /// There until this is dropped.
    transaction: Option<Transaction<'static, DB>>,
    place: Arc<Place<DB>>,
}

/// Who lends a transaction to a handler, and takes it back: the application, or the test of a handler that calls it as the
/// function that it is.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use jitney_sql::{SqliteStore, Tx, TxOwner, sqlx};
///
/// async fn book(cents: i64, mut tx: Tx<sqlx::Sqlite>) -> Result<(), sqlx::Error> {
///     sqlx::query("UPDATE accounts SET cents = cents + ?1").bind(cents).execute(&mut *tx).await.map(drop)
/// }
///
/// let store = SqliteStore::in_memory().await?;
/// let mut transaction = store.begin().await?;
/// sqlx::raw_sql("CREATE TABLE accounts (cents INTEGER); INSERT INTO accounts VALUES (1)").execute(&mut *transaction).await?;
///
/// let owner = TxOwner::of(transaction);
/// book(41, owner.lend()?).await?;
/// let mut transaction = owner.take_back()?; // to look at what it wrote, and to commit it or not
/// let cents: i64 = sqlx::query_scalar("SELECT cents FROM accounts").fetch_one(&mut *transaction).await?;
/// assert_eq!(cents, 42);
/// # Ok(()) }
/// ```
pub struct TxOwner<DB: Database>(Arc<Place<DB>>);

type Place<DB> = Mutex<State<DB>>;

/// Where the transaction is.
enum State<DB: Database> {
    /// Here, and it was nowhere else.
    Fresh(Transaction<'static, DB>),
    Lent,
    Returned(Transaction<'static, DB>),
    /// Its owner has it back, or wants it no more.
    Ended,
}

impl<DB: Database> TxOwner<DB> {
    /// The owner of `transaction`.
    pub fn of(transaction: Transaction<'static, DB>) -> Self {
        TxOwner(Arc::new(Mutex::new(State::Fresh(transaction))))
    }

    /// Lends the transaction, once.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](jitney_core::ErrorKind::Config) the second time: what was done the first time, and may have failed, would
    /// be committed with the rest.
    pub fn lend(&self) -> Result<Tx<DB>, Error> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut *state, State::Lent) {
            State::Fresh(transaction) => {
                Ok(Tx { transaction: Some(transaction), place: Arc::clone(&self.0) })
            }
            other => {
                *state = other;
                Err(Error::config(
                    "asking for the transaction of an event: it was given out already; ask for `Tx` once, and have no layer run \
                     the handler twice in one attempt",
                ))
            }
        }
    }

    /// Takes the transaction back. One that is still lent is rolled back when it is dropped, wherever it is.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](jitney_core::ErrorKind::Config) when the [`Tx`] that was lent was not dropped yet, or it was taken back
    /// before.
    pub fn take_back(&self) -> Result<Transaction<'static, DB>, Error> {
        match std::mem::replace(&mut *lock(&self.0), State::Ended) {
            State::Fresh(transaction) | State::Returned(transaction) => Ok(transaction),
            State::Lent | State::Ended => Err(Error::config(
                "committing the transaction of an event: the handler has returned and kept its `Tx`, so nothing is committed; \
                 drop it in the handler, and give it to no task or value that outlives it",
            )),
        }
    }
}

fn lock<DB: Database>(place: &Place<DB>) -> MutexGuard<'_, State<DB>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

const OWNED: &str = "the transaction is there until this is dropped";

impl<DB: Database> Deref for Tx<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        self.transaction.as_deref().expect(OWNED)
    }
}

impl<DB: Database> DerefMut for Tx<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        self.transaction.as_deref_mut().expect(OWNED)
    }
}

impl<DB: Database> Drop for Tx<DB> {
    fn drop(&mut self) {
        let mut state = lock(&self.place);
        // Where it is not waited for any more, it is dropped and so rolled back.
        if let (State::Lent, Some(transaction)) = (&*state, self.transaction.take()) {
            *state = State::Returned(transaction);
        }
    }
}

impl<DB: Database> fmt::Debug for Tx<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tx<{}>", DB::NAME)
    }
}

impl<DB: Database> fmt::Debug for TxOwner<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TxOwner<{}>", DB::NAME)
    }
}
