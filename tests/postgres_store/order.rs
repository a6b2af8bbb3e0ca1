//! The order of all events, under writers that make it hard.

use jitney::sourcing::{EventStore, Filter, Position};
use jitney::sql::PostgresStore;
use jitney_core::Env;
use tokio::sync::watch;

use super::server::{add, append, connection, database, ids, own_server, read};
use crate::load;
use crate::reader::{Verdict, follow};
use jitney::sourcing::{Expected, TransactionalStore};
use jitney::sql::sqlx::{Connection, raw_sql};

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_misses_nothing_repeats_nothing_and_sees_each_stream_in_order() {
    const WRITERS: u32 = 16;
    let url = database().await;
    let store = PostgresStore::builder(&url).max_connections(WRITERS + 4).connect().await.unwrap();
    load::prepare(&store).await.unwrap();
    let (end, ends) = watch::channel(None);
    let reader = Env::system().spawn(follow(store.clone(), 100, ends));
    let written = load::write(&store, WRITERS as usize, |attempts| attempts < 40).await.unwrap();
    end.send_replace(Some(store.end().await.unwrap()));
    let verdict = Verdict::of(&written, &reader.await.unwrap().unwrap());
    println!("{verdict}");
    assert!(verdict.committed > 300 && verdict.rolled_back > 50, "{verdict}");
    assert!(verdict.is_right(), "{verdict}");
}

#[tokio::test]
async fn a_writer_that_began_earlier_and_appends_later_stays_in_its_streams_order() {
    let server = own_server("order");
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let mut early = connection(&server.url()).await;
    let mut transaction = early.begin().await.unwrap();
    raw_sql("SELECT pg_current_xact_id()").execute(&mut *transaction).await.unwrap();
    add(&store, "a", "first").await;
    let second = append("a", Expected::Exact(1), &["second"]);
    let appended = store.append_in(&mut transaction, second).await.unwrap();
    transaction.commit().await.unwrap();
    let page = store.read_all(&Position::START, &Filter::all(), 10).await.unwrap();
    assert_eq!(ids(&page.events), ["first", "second"]);
    assert!(page.position.has_reached(&appended.position));
}

#[tokio::test]
async fn an_event_is_read_behind_those_of_a_transaction_that_began_earlier() {
    let server = own_server("gap");
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let mut early = connection(&server.url()).await;
    let mut transaction = early.begin().await.unwrap();
    store.append_in(&mut transaction, append("a", Expected::New, &["slow"])).await.unwrap();
    add(&store, "b", "quick").await;
    assert_eq!(ids(&read(&store, &Position::START).await), [""; 0]);
    let end = store.end().await.unwrap();
    transaction.commit().await.unwrap();
    let page = store.read_all(&Position::START, &Filter::all(), 10).await.unwrap();
    assert_eq!(ids(&page.events), ["slow", "quick"]);
    assert!(page.position.has_reached(&end));
}
