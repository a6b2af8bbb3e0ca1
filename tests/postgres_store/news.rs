//! A reader that waits is woken by an append of another process, and does not miss one that came before.

use std::time::Duration;

use jitney::sourcing::{EventStore, Position};
use jitney::sql::PostgresStore;
use jitney_core::Env;

use jitney::sql::sqlx::{Connection, PgConnection, query_scalar, raw_sql};

use super::server::{PATIENCE, add, database, ids, read, read_to_end, store};

/// Longer than any test: who returns in time was woken.
const FOREVER: Duration = Duration::from_secs(100_000);

#[tokio::test(flavor = "multi_thread")]
async fn an_append_elsewhere_wakes_a_reader_that_waits() {
    let url = database().await;
    let (reader, writer) =
        (PostgresStore::connect(&url).await.unwrap(), PostgresStore::connect(&url).await.unwrap());
    let env = Env::system();
    let waiting = env.spawn({
        let reader = reader.clone();
        async move {
            let mut position = Position::START;
            let mut seen = Vec::new();
            while seen.len() < 20 {
                reader.wait(&position, FOREVER).await.unwrap();
                let events = read(&reader, &position).await;
                position = events.last().map_or(position, |event| event.position().clone());
                seen.extend(ids(&events));
            }
            seen
        }
    });
    let expected: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    for id in &expected {
        add(&writer, "a", id).await;
    }
    let seen = env.timeout(PATIENCE, waiting).await.expect("it is woken").unwrap();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_was_stored_before_the_wait_ends_it() {
    let store = store().await;
    add(&store, "a", "one").await;
    read_to_end(&store).await;
    let waiting = store.wait(&Position::START, FOREVER);
    Env::system().timeout(PATIENCE, waiting).await.expect("it does not wait").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_back_is_waited_for_until_it_can_be_read() {
    let url = database().await;
    let store = PostgresStore::connect(&url).await.unwrap();
    let mut other = PgConnection::connect(&url).await.unwrap();
    raw_sql("BEGIN").execute(&mut other).await.unwrap();
    let _: String = query_scalar("SELECT pg_current_xact_id()::text").fetch_one(&mut other).await.unwrap();
    add(&store, "a", "one").await;
    let env = Env::system();
    // The news of the append is heard here, and nobody tells of anything later.
    store.wait(&Position::START, Duration::from_millis(100)).await.unwrap();
    let mut waiting = Box::pin(store.wait(&Position::START, FOREVER));
    assert!(env.timeout(Duration::from_millis(100), &mut waiting).await.is_err(), "nothing can be read yet");
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    env.timeout(PATIENCE, waiting).await.expect("it is not waited for in vain").unwrap();
    assert_eq!(ids(&read_to_end(&store).await), ["one"]);
}
