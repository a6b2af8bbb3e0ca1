//! Files, folders and schemas, as they are found.

use std::fs;

use jitney::sourcing::{ErrorKind, EventStore};
use jitney::sql::{SqliteStore, sqlx};
use sqlx::Connection;

use super::events::{all, append, ids};
use super::folder::Folder;

#[tokio::test]
async fn a_file_is_created_and_found_again_by_path_and_by_url() {
    let folder = Folder::new("by-path");
    let path = folder.path("counters ?1.db");
    let store = SqliteStore::open(&path).await.unwrap();
    append(&store, "a", &["1"]).await.unwrap();
    store.close().await;
    assert!(fs::metadata(&path).unwrap().len() > 0);
    let url = format!("sqlite://{}?mode=rw", path.replace('?', "%3F"));
    let store = SqliteStore::open(&url).await.unwrap();
    assert_eq!(ids(&all(&store).await), ["1"]);
    assert!(store.capabilities().durable);
}

#[tokio::test]
async fn a_store_in_memory_is_one_of_its_own() {
    let (one, other) =
        (SqliteStore::in_memory().await.unwrap(), SqliteStore::open(":memory:").await.unwrap());
    append(&one, "a", &["1"]).await.unwrap();
    assert_eq!(ids(&all(&one.clone()).await), ["1"]);
    assert!(all(&other).await.is_empty());
    assert!(!one.capabilities().durable);
}

#[tokio::test]
async fn what_is_acknowledged_is_on_the_disk() {
    let folder = Folder::new("pragmas");
    let store = SqliteStore::open(&folder.path("a.db")).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *transaction).await.unwrap();
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *transaction).await.unwrap();
    let foreign_keys: i64 =
        sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *transaction).await.unwrap();
    assert_eq!((journal.as_str(), synchronous, foreign_keys), ("wal", 2, 1));
}

#[tokio::test]
async fn readers_refuse_to_write() {
    let folder = Folder::new("readers");
    let store = SqliteStore::open(&folder.path("a.db")).await.unwrap();
    let refused = sqlx::query("DELETE FROM jitney_events").execute(store.readers()).await.unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
}

#[tokio::test]
async fn an_application_gives_its_own_pool() {
    let folder = Folder::new("pool");
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path("a.db")).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let store = SqliteStore::from_pool(pool).await.unwrap();
    append(&store, "a", &["1"]).await.unwrap();
    assert_eq!(ids(&all(&store).await), ["1"]);
    assert!(store.capabilities().durable && store.describe().contains("a.db"), "{store:?}");
    let in_memory = sqlx::SqlitePool::connect("sqlite::memory:").await.unwrap();
    assert!(!SqliteStore::from_pool(in_memory).await.unwrap().capabilities().durable);
}

/// Opening fails with this kind, and says this.
async fn refused(database: &str, kind: ErrorKind, says: &[&str]) {
    let error = SqliteStore::open(database).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    for says in says {
        assert!(error.to_string().contains(says), "`{error}` does not say `{says}`");
    }
}

#[tokio::test]
async fn a_wrong_path_is_named_with_what_to_do() {
    let folder = Folder::new("wrong-paths");
    let missing = folder.path("no/such/a.db");
    refused(&missing, ErrorKind::Config, &[&missing, "no/such` does not exist", "create it first"]).await;
    refused(&folder.path(""), ErrorKind::Config, &["that is a folder", "name a file in it"]).await;
    refused("", ErrorKind::Config, &["the path is empty"]).await;
    refused("postgres://localhost/a", ErrorKind::Config, &["no URL of SQLite", "`sqlite://` and a path"])
        .await;
    refused("sqlite://a.db?mod=rw", ErrorKind::Config, &["sqlite://a.db?mod=rw", "cannot be read"]).await;
    refused("sqlite://a.db?mode=ro", ErrorKind::Config, &["a store writes"]).await;
    let absent = format!("sqlite://{}?mode=rw", folder.path("absent.db"));
    refused(&absent, ErrorKind::Config, &["absent.db", "cannot be opened"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    let folder = Folder::new("no-database");
    let path = folder.path("letter.txt");
    fs::write(&path, "Dear customer, ".repeat(100)).unwrap();
    refused(&path, ErrorKind::Config, &[&path, "no SQLite database", "choose another path"]).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "Dear customer, ".repeat(100));
}

#[tokio::test]
async fn a_read_only_file_is_named_with_what_to_do() {
    let folder = Folder::new("read-only");
    let path = folder.path("a.db");
    SqliteStore::open(&path).await.unwrap().close().await;
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    refused(&path, ErrorKind::Config, &[&path, "read-only", "make it writable"]).await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let folder = Folder::new("newer");
    let path = folder.path("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    append(&store, "a", &["1"]).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("INSERT INTO jitney_migrations (version, name) VALUES (99, 'later')")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    refused(&path, ErrorKind::NewerSchema, &[&path, "version 99", "versions up to", "later one"]).await;
    assert_eq!(ids(&all(&store).await), ["1"]);
}

#[tokio::test]
async fn tables_of_the_application_are_left_alone() {
    let folder = Folder::new("shared");
    let path = folder.path("a.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE events (a); INSERT INTO events VALUES (7)").execute(&pool).await.unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    append(&store, "a", &["1"]).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>("SELECT a FROM events").fetch_one(&pool).await.unwrap(), 7);
}

#[tokio::test]
async fn a_backup_of_an_open_store_is_a_store() {
    let folder = Folder::new("backup");
    let store = SqliteStore::open(&folder.path("a.db")).await.unwrap();
    append(&store, "a", &["1", "2"]).await.unwrap();
    let copy = folder.path("copy.db");
    let mut other = sqlx::SqliteConnection::connect(&folder.path("a.db")).await.unwrap();
    sqlx::query("VACUUM INTO ?1").bind(&copy).execute(&mut other).await.unwrap();
    append(&store, "a", &["3"]).await.unwrap();
    let copy = SqliteStore::open(&copy).await.unwrap();
    assert_eq!(all(&copy).await, all(&store).await[..2]);
    append(&copy, "a", &["4"]).await.unwrap();
    assert_eq!(copy.end().await.unwrap(), store.end().await.unwrap());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = SqliteStore::in_memory().await.unwrap();
    store.close().await;
    assert_eq!(append(&store, "a", &["1"]).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(store.end().await.unwrap_err().kind(), ErrorKind::Closed);
    let waiting = store.wait(&jitney::sourcing::Position::START, std::time::Duration::from_secs(60)).await;
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::Closed);
}
