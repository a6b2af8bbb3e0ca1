//! The tables are made once, whoever comes first, and those of a later version are left alone.

use jitney::sourcing::ErrorKind;
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{AssertSqlSafe, PgPool, query_scalar};
use jitney_core::Env;

use super::server::{add, database, execute, ids, read_to_end};

#[tokio::test(flavor = "multi_thread")]
async fn several_that_start_at_once_make_the_tables_once() {
    let url = database().await;
    let env = Env::system();
    let starting: Vec<_> = (0..8)
        .map(|_| {
            let url = url.to_string();
            env.spawn(async move { PostgresStore::connect(&url).await })
        })
        .collect();
    let mut stores = Vec::new();
    for starting in starting {
        stores.push(starting.await.unwrap().unwrap());
    }
    add(&stores[0], "a", "one").await;
    let versions = "SELECT version::bigint FROM jitney.migrations ORDER BY version";
    let versions: Vec<i64> = query_scalar(versions).fetch_all(stores[7].pool()).await.unwrap();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let epochs = "SELECT count(*) FROM jitney.epochs";
    assert_eq!(query_scalar::<_, i64>(epochs).fetch_one(stores[7].pool()).await.unwrap(), 1);
}

#[tokio::test]
async fn tables_of_an_earlier_version_are_brought_up_to_date_with_what_is_in_them() {
    let url = database().await;
    add(&PostgresStore::connect(&url).await.unwrap(), "a", "kept").await;
    let back = "DROP TABLE jitney.outbox, jitney.outbox_shards, jitney.outbox_relays, jitney.projections,
            jitney.projection_shards, jitney.projection_workers, jitney.projection_passed, jitney.inbox, jitney.processes,
            jitney.process_steps, jitney.process_deadlines, jitney.process_feeds, jitney.process_parked,
            jitney.projection_streams, jitney.projection_gaps, jitney.projection_events, jitney.subject_followers,
            jitney.subject_keys, jitney.pseudonyms;
        DROP FUNCTION jitney.refuse_without_inline;
        DELETE FROM jitney.migrations WHERE version > 1";
    execute(&url, back).await;
    let store = PostgresStore::connect(&url).await.unwrap();
    assert_eq!(ids(&read_to_end(&store).await), ["kept"]);
    for table in ["outbox", "inbox"] {
        let rows = AssertSqlSafe(format!("SELECT count(*) FROM jitney.{table}"));
        assert_eq!(query_scalar::<_, i64>(rows).fetch_one(store.pool()).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn tables_of_a_later_version_are_refused_and_left_alone() {
    let url = database().await;
    add(&PostgresStore::connect(&url).await.unwrap(), "a", "kept").await;
    execute(&url, "INSERT INTO jitney.migrations (version) VALUES (99)").await;
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NewerSchema);
    let told = error.to_string();
    assert!(told.contains("version 99") && told.contains("use a newer version"), "{told}");

    execute(&url, "DELETE FROM jitney.migrations WHERE version = 99").await;
    let store = PostgresStore::connect(&url).await.unwrap();
    assert_eq!(ids(&read_to_end(&store).await), ["kept"]);
}

#[tokio::test]
async fn a_name_that_is_no_plain_identifier_is_refused() {
    let url = database().await;
    for name in ["jitney; DROP SCHEMA public", "Jitney", "a\"b", "", "pg_catalog"] {
        let error = PostgresStore::builder(&url).schema(name).connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name}");
    }
}

#[tokio::test]
async fn schemas_of_one_database_are_stores_of_their_own() {
    let url = database().await;
    let one = PostgresStore::builder(&url).schema("order").connect().await.unwrap();
    let two = PostgresStore::from_pool(PgPool::connect(&url).await.unwrap()).await.unwrap();
    add(&one, "a", "first").await;
    add(&two, "a", "second").await;
    assert_eq!(ids(&read_to_end(&one).await), ["first"]);
    assert_eq!(ids(&read_to_end(&two).await), ["second"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_worth_another_try_and_a_wrong_database_is_not() {
    let away = PostgresStore::connect("postgres://user:secret@127.0.0.1:1/none").await.unwrap_err();
    assert!(away.is_retryable(), "{away:?}");
    assert!(!format!("{away:?}").contains("secret"), "{away:?}");
    let database = database().await;
    let wrong = PostgresStore::connect(&format!("{}_none", &*database)).await.unwrap_err();
    assert_eq!((wrong.kind(), wrong.is_retryable()), (ErrorKind::Config, false), "{wrong:?}");
}
