//! What holds readers of all events back shows, with the one who does it.

use jitney::sourcing::Position;
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{Connection, query_scalar, raw_sql};

use super::server::{add, connection, execute, ids, own_server, read};

#[tokio::test]
async fn a_long_transaction_anywhere_in_the_cluster_holds_events_back_and_shows_its_process() {
    let server = own_server("long");
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    add(&store, "a", "before").await;
    let idle = store.watermark().await.unwrap();
    assert_eq!((idle.held_back, idle.holder), (0, None));

    execute(&server.url(), "CREATE DATABASE other").await;
    let mut other = connection(&format!("{}?application_name=report", server.database_url("other"))).await;
    let mut transaction = other.begin().await.unwrap();
    raw_sql("CREATE TABLE anything (id int)").execute(&mut *transaction).await.unwrap();
    let pid: i32 = query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transaction).await.unwrap();
    add(&store, "a", "held").await;
    add(&store, "b", "too").await;
    assert_eq!(ids(&read(&store, &Position::START).await), ["before"]);
    let watermark = store.watermark().await.unwrap();
    let holder = watermark.holder.unwrap();
    assert_eq!(watermark.held_back, 2);
    assert_eq!(
        (holder.pid, holder.prepared, holder.application.as_deref()),
        (Some(pid), None, Some("report"))
    );
    assert!(holder.since.is_some());

    transaction.rollback().await.unwrap();
    assert_eq!(ids(&read(&store, &Position::START).await), ["before", "held", "too"]);
    assert_eq!(store.watermark().await.unwrap().held_back, 0);
}

#[tokio::test]
async fn a_forgotten_prepared_transaction_shows_its_name() {
    let server = own_server("prepared");
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    execute(&server.url(), "BEGIN; CREATE TABLE anything (id int); PREPARE TRANSACTION 'forgotten'").await;
    add(&store, "a", "held").await;
    assert!(read(&store, &Position::START).await.is_empty());
    let watermark = store.watermark().await.unwrap();
    let holder = watermark.holder.unwrap();
    assert_eq!(watermark.held_back, 1);
    assert_eq!((holder.pid, holder.prepared.as_deref()), (None, Some("forgotten")));
    assert!(holder.since.is_some());

    execute(&server.url(), "ROLLBACK PREPARED 'forgotten'").await;
    assert_eq!(ids(&read(&store, &Position::START).await), ["held"]);
    assert_eq!(store.watermark().await.unwrap().holder, None);
}
