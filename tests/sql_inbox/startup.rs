//! What an application is told that asks for transactions that nobody gives.

use jitney::handler::HandlerSpec;
use jitney::prelude::*;
use jitney::sql::sqlx::{Postgres, Sqlite};
use jitney::sql::{SqliteInbox, SqliteStore, Tx};

use crate::events::Placed;
use crate::scripted::Scripted;

/// What an application says that does not start; nothing was asked of its broker.
async fn refusal(spec: HandlerSpec, change: impl FnOnce(App) -> App) -> String {
    let broker = Scripted::with(|can| (can.transactional, can.broadcast, can.durable) = (true, true, true));
    let handlers = HandlerSet::new().handler(spec, |_: Placed, _: Tx<Sqlite>| async {});
    let app = App::new("shop", Bus::builder(broker.clone()).build()).handlers(handlers);
    let error = change(app).spawn().await.unwrap_err();
    assert!(broker.told().is_empty() && broker.polls() == 0);
    error.to_string()
}

async fn inbox() -> SqliteInbox {
    SqliteInbox::of(&SqliteStore::in_memory().await.unwrap())
}

fn take() -> HandlerSpec {
    HandlerSpec::new("take")
}

#[tokio::test]
async fn a_transaction_needs_an_inbox() {
    assert_eq!(
        refusal(take(), |app| app).await,
        "application `shop` cannot start: handler `take` asks for `Tx<Sqlite>`, and the application has no inbox that gives it: \
         add one of its database with `.inbox(…)`"
    );
}

#[tokio::test]
async fn a_transaction_needs_an_inbox_of_the_same_database() {
    let other = HandlerSet::new().handler(HandlerSpec::new("other"), |_: Placed, _: Tx<Postgres>| async {});
    let inbox = inbox().await;
    let error = refusal(take(), |app| app.inbox(inbox).handlers(other)).await;
    assert_eq!(
        error,
        "application `shop` cannot start: handler `other` asks for `Tx<Postgres>`, and the application has no inbox that gives \
         it: add one of its database with `.inbox(…)`"
    );
}

#[tokio::test]
async fn a_transaction_of_the_database_is_none_of_the_broker() {
    let inbox = inbox().await;
    assert_eq!(
        refusal(take().exactly_once(), |app| app.inbox(inbox)).await,
        "application `shop` cannot start: handler `take` is `exactly_once` and asks for `Tx<Sqlite>`: a transaction of the broker \
         and one of the database cannot be one, so drop `exactly_once`; its work and its outputs are one by `Tx<Sqlite>`"
    );
}

#[tokio::test]
async fn members_of_a_broadcast_group_would_share_marks() {
    let inbox = inbox().await;
    assert_eq!(
        refusal(take().broadcast(), |app| app.inbox(inbox)).await,
        "application `shop` cannot start: handler `take` is `broadcast` and asks for `Tx<Sqlite>`: members of its group would share \
         one mark for an event, and only one of them would handle it, so choose one of the two"
    );
}

#[tokio::test]
async fn an_event_is_handled_in_one_transaction() {
    let (inbox, broker) = (inbox().await, Scripted::new());
    let handlers = HandlerSet::new().handler(take(), |_: Placed, _: Tx<Sqlite>, _: Tx<Sqlite>| async {});
    let app = App::new("shop", Bus::builder(broker).build()).handlers(handlers).inbox(inbox);
    assert_eq!(
        app.spawn().await.unwrap_err().to_string(),
        "application `shop` cannot start: handler `take` asks for more than one transaction: an event is handled in one, so ask \
         for `Tx<Sqlite>` alone"
    );
}

#[tokio::test]
async fn what_asks_for_a_transaction_is_idempotent() {
    let (inbox, broker) = (inbox().await, Scripted::new());
    let handlers = HandlerSet::new().handler(take(), |_: Placed, _: Tx<Sqlite>| async {});
    let app = App::new("shop", Bus::builder(broker).build()).handlers(handlers).inbox(inbox);
    assert!(app.describe().unwrap().groups[0].handlers[0].idempotent);
}

#[tokio::test]
async fn an_inbox_that_forgets_is_no_memory_on_a_bus_that_does_not() {
    let start = async |durable| {
        let (inbox, broker) = (inbox().await, Scripted::with(|can| can.durable = durable));
        let handlers = HandlerSet::new().handler(take().idempotent(), |_: Placed| async {});
        App::new("shop", Bus::builder(broker).build()).handlers(handlers).inbox(inbox).spawn().await
    };
    let error = start(true).await.unwrap_err().to_string();
    assert!(
        error.contains("while the inbox, where it would be marked, forgets on restart: choose a store"),
        "{error}"
    );
    start(false).await.unwrap().shutdown().await.unwrap();
}
