//! SQLite.

use std::sync::Arc;
use std::time::Duration;

use jitney::Error;
use jitney::outbox::OutboxStore;
use jitney::prelude::*;
use jitney::sql::sqlx::{self, raw_sql};
use jitney::sql::{SqliteInbox, SqliteOutbox, SqliteStore, Tx};

use crate::events::{Placed, message, placed, shipped};
use crate::folder::Folder;
use crate::scripted::{Scripted, delivery};
use crate::service::{Service, has_handled, settled, shop, take};

pub(crate) struct Sqlite {
    store: SqliteStore,
    path: String,
    _folder: Option<Arc<Folder>>,
}

impl Sqlite {
    async fn new() -> Self {
        let folder = Folder::new("inbox");
        let service = Sqlite::at(&folder.path("orders.db")).await;
        let mut transaction = service.store.begin().await.unwrap();
        raw_sql("CREATE TABLE handled (number INTEGER)").execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        Sqlite { _folder: Some(Arc::new(folder)), ..service }
    }
}

impl Service for Sqlite {
    type Tx = Tx<sqlx::Sqlite>;
    type Inbox = SqliteInbox;
    type Outbox = SqliteOutbox;

    async fn at(place: &str) -> Self {
        Sqlite { store: SqliteStore::open(place).await.unwrap(), path: place.to_owned(), _folder: None }
    }

    fn place(&self) -> String {
        self.path.clone()
    }

    fn inbox(&self) -> SqliteInbox {
        SqliteInbox::of(&self.store)
    }

    fn outbox(&self) -> SqliteOutbox {
        SqliteOutbox::of(&self.store)
    }

    fn keeping(inbox: &SqliteInbox, event_ids: Duration, natural_keys: Option<Duration>) -> SqliteInbox {
        let inbox = inbox.clone().keep_for(event_ids);
        match natural_keys {
            Some(time) => inbox.keep_natural_keys_for(time),
            None => inbox,
        }
    }

    async fn clean(inbox: &SqliteInbox) -> Result<u64, Error> {
        inbox.clean().await
    }

    async fn write(tx: &mut Tx<sqlx::Sqlite>, row: u32) -> Result<(), sqlx::Error> {
        let insert = sqlx::query("INSERT INTO handled VALUES (?1)").bind(i64::from(row));
        insert.execute(&mut **tx).await.map(drop)
    }

    async fn rows(&self) -> Vec<i64> {
        let rows = sqlx::query_scalar("SELECT number FROM handled ORDER BY number");
        rows.fetch_all(self.store.readers()).await.unwrap()
    }
}

all_checks!(Sqlite);

/// SQLite has rolled the transaction back, and what the handler writes then is in none.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_goes_on_behind_a_rollback_has_failed() {
    let (service, broker) = (Sqlite::new().await, Scripted::new());
    let handler = |order: Placed, mut tx: Tx<sqlx::Sqlite>| async move {
        // It swallows the error.
        let _ = sqlx::query("INSERT OR ROLLBACK INTO jitney_inbox SELECT * FROM jitney_inbox")
            .execute(&mut *tx)
            .await;
        Ok::<_, HandlerError>(shipped(&order.order, order.number))
    };
    let app = shop(&service, &broker, take(2), handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    settled(&broker, 1).await;
    let failure = broker.dead_letters().remove(0).failure;
    assert_eq!(failure.attempts, 2);
    assert!(failure.error.contains("it was ended meanwhile"), "{failure:?}");
    assert!(!has_handled(&service, "e-0").await);
    assert_eq!(service.outbox().backlog().await.unwrap().pending, 0);
    app.shutdown().await.unwrap();
}
