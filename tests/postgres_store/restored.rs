//! A dump that is restored into a new cluster of databases, whose transaction ids begin again.

use jitney::sourcing::{ErrorKind, EventStore, Expected, Filter, Position, ReadStream};
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{query_scalar, raw_sql};

use super::server::{add, append, database, execute, ids, own_server, read, read_to_end, stream, until};

/// Uses up transaction ids, so that those of the events are beyond all of a new cluster.
const USE_UP: &str = "DO $$ BEGIN
    FOR i IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";

#[tokio::test]
async fn a_restored_database_keeps_every_event_readable_and_later_ones_in_order() {
    let (old, new) = (own_server("dumped"), own_server("restored"));
    execute(&old.url(), USE_UP).await;
    let store = PostgresStore::connect(&old.url()).await.unwrap();
    for number in 0..10 {
        add(&store, ["a", "b"][number % 2], &format!("old-{number}")).await;
    }
    let before = read(&store, &Position::START).await;
    assert_eq!(before.len(), 10);
    let dump = std::env::temp_dir().join(format!("jitney-dump-{}.sql", std::process::id()));
    let file = dump.to_str().unwrap();
    old.tool("pg_dump", &["--file", file, "postgres"]).unwrap();
    new.tool("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-f", file, "postgres"]).unwrap();
    std::fs::remove_file(&dump).unwrap();

    let restored = PostgresStore::connect(&new.url()).await.unwrap();
    let checkpoint = before[9].position().clone();
    assert_eq!(read(&restored, &Position::START).await, before);
    assert!(read(&restored, &checkpoint).await.is_empty());

    let again = PostgresStore::connect(&new.url()).await.unwrap();
    again.append(append("a", Expected::Exact(5), &["new-0"])).await.unwrap();
    add(&again, "c", "new-1").await;
    let appended = again.append(append("b", Expected::Any, &["new-2"])).await.unwrap();
    let page = restored.read_all(&checkpoint, &Filter::all(), 100).await.unwrap();
    assert_eq!(ids(&page.events), ["new-0", "new-1", "new-2"]);
    assert!(page.position.has_reached(&appended.position));
    assert_eq!(page.position.numbers().unwrap()[0], 2, "one new epoch, whoever connects");
    let of_stream = restored.read_stream(&stream("a"), ReadStream::backward().limit(2)).await.unwrap();
    assert_eq!(ids(&of_stream), ["new-0", "old-8"]);

    // A checkpoint of the new epoch is none of the database that the dump was taken from.
    let error = store.read_all(&page.position, &Filter::all(), 100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
}

#[tokio::test]
async fn a_store_that_connects_again_finds_that_its_database_is_in_another_cluster() {
    let url = database().await;
    let store = PostgresStore::builder(&url).max_connections(1).connect().await.unwrap();
    add(&store, "a", "before").await;
    let pid: i32 = query_scalar("SELECT pg_backend_pid()").fetch_one(store.pool()).await.unwrap();
    // What a dump leaves in a new cluster: the identifier of the old one.
    execute(&url, "UPDATE jitney.epochs SET system_identifier = 1").await;
    let end = format!("SELECT pg_terminate_backend({pid}, 10000)");
    execute(&url, &end).await;

    let appending = async || store.append(append("a", Expected::Exact(1), &["after"])).await.is_ok();
    until(appending).await;
    let events = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap();
    let epochs: Vec<_> = events.iter().map(|event| event.position().numbers().unwrap()[0]).collect();
    assert_eq!(epochs, [1, 2]);
}

#[tokio::test]
async fn transaction_ids_that_lie_behind_those_of_the_events_begin_a_new_epoch() {
    let url = database().await;
    let store = PostgresStore::connect(&url).await.unwrap();
    add(&store, "a", "before").await;
    raw_sql("UPDATE jitney.events SET tx = tx + 1000000000").execute(store.pool()).await.unwrap();
    assert!(read(&store, &Position::START).await.is_empty());
    let again = PostgresStore::connect(&url).await.unwrap();
    add(&again, "a", "after").await;
    assert_eq!(ids(&read_to_end(&again).await), ["before", "after"]);
}
