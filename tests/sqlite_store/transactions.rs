//! Appends in the application's own transaction.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use jitney::sourcing::{Append, ErrorKind, EventStore, Expected, ReadStream, TransactionalStore};
use jitney::sql::{SqliteStore, sqlx};
use sqlx::{Connection, SqliteConnection};

use super::events::{all, append, event, ids, stream};
use super::folder::Folder;

async fn with_visits(path: &str) -> SqliteStore {
    let store = SqliteStore::open(path).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    sqlx::query("CREATE TABLE visits (page TEXT)").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    store
}

async fn visit(connection: &mut SqliteConnection) {
    sqlx::query("INSERT INTO visits VALUES ('home')").execute(connection).await.unwrap();
}

async fn visits(store: &SqliteStore) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM visits").fetch_one(store.readers()).await.unwrap()
}

fn one(id: &str) -> Append {
    Append::to(stream("a"), Expected::Any, [event("a", id, "test", 1)])
}

#[tokio::test]
async fn a_commit_stores_what_was_written_and_what_was_appended() {
    let folder = Folder::new("commit");
    let store = with_visits(&folder.path("a.db")).await;
    let mut transaction = store.begin().await.unwrap();
    visit(&mut transaction).await;
    let appended = store.append_in(&mut transaction, one("1")).await.unwrap();
    assert!(all(&store).await.is_empty(), "it is seen before the commit");
    transaction.commit().await.unwrap();
    assert_eq!((visits(&store).await, ids(&all(&store).await)), (1, vec!["1".to_owned()]));
    assert_eq!(store.end().await.unwrap(), appended.position);
}

#[tokio::test]
async fn a_rollback_leaves_nothing_and_no_gap() {
    let folder = Folder::new("rollback");
    let store = with_visits(&folder.path("a.db")).await;
    for dropped in [false, true] {
        let mut transaction = store.begin().await.unwrap();
        visit(&mut transaction).await;
        store.append_in(&mut transaction, one("1")).await.unwrap();
        match dropped {
            true => drop(transaction),
            false => transaction.rollback().await.unwrap(),
        }
    }
    assert_eq!((visits(&store).await, all(&store).await.len()), (0, 0));
    let appended = append(&store, "a", &["1"]).await.unwrap();
    assert_eq!(appended.position.to_string(), "1");
}

#[tokio::test]
async fn a_refused_append_leaves_the_transaction_as_it_was() {
    let folder = Folder::new("refused");
    let store = with_visits(&folder.path("a.db")).await;
    append(&store, "a", &["1"]).await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    visit(&mut transaction).await;
    let refused = Append::to(stream("b"), Expected::New, [event("b", "2", "test", 1)]).and_to(
        stream("a"),
        Expected::New,
        [event("a", "2", "test", 1)],
    );
    let error = store.append_in(&mut transaction, refused).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    transaction.commit().await.unwrap();
    assert_eq!((visits(&store).await, ids(&all(&store).await)), (1, vec!["1".to_owned()]));
    assert_eq!(store.stream_info(&stream("b")).await.unwrap(), None);
    assert_eq!(store.stream_info(&stream("a")).await.unwrap().unwrap().last_sequence, 1);
}

#[tokio::test]
async fn a_duplicate_is_that_of_the_stream_which_has_it_not_of_one_just_written() {
    let store = SqliteStore::in_memory().await.unwrap();
    append(&store, "b", &["1"]).await.unwrap();
    let twice = Append::to(stream("a"), Expected::New, [event("a", "2", "test", 1)]).and_to(
        stream("b"),
        Expected::Any,
        [event("b", "1", "test", 1)],
    );
    let error = store.append(twice).await.unwrap_err();
    let duplicate = error.duplicate().unwrap();
    assert_eq!((&duplicate.stream, duplicate.sequence), (&stream("b"), 1));
}

#[tokio::test]
async fn an_append_outside_of_a_transaction_is_refused() {
    let folder = Folder::new("outside");
    let store = with_visits(&folder.path("a.db")).await;
    let mut connection = SqliteConnection::connect(&folder.path("a.db")).await.unwrap();
    let error = store.append_in(&mut connection, one("1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`SqliteStore::begin`"), "{error}");
}

#[tokio::test]
async fn a_transaction_that_read_before_another_one_wrote_is_told_to_begin_anew() {
    let folder = Folder::new("snapshot");
    let store = with_visits(&folder.path("a.db")).await;
    let mut connection = SqliteConnection::connect(&folder.path("a.db")).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("SELECT * FROM visits").fetch_all(&mut *transaction).await.unwrap();
    append(&store, "a", &["1"]).await.unwrap();
    let error = store.append_in(&mut transaction, one("2")).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("BEGIN IMMEDIATE"), "{error}");
}

#[tokio::test]
async fn who_writes_for_too_long_makes_others_try_again() {
    let folder = Folder::new("busy");
    let path = folder.path("a.db");
    let open = || SqliteStore::builder(&path).busy_timeout(Duration::from_secs(2)).open();
    let (store, other) = (open().await.unwrap(), open().await.unwrap());
    let transaction = store.begin().await.unwrap();
    // By its own connection in another store, and by the same one here.
    for waiting in [&store, &other] {
        let error = append(waiting, "a", &["1"]).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true), "{error:?}");
    }
    let read = other.read_stream(&stream("a"), ReadStream::forward()).await;
    assert_eq!(read.unwrap(), []);
    transaction.rollback().await.unwrap();
    append(&other, "a", &["1"]).await.unwrap();
}

#[tokio::test]
async fn an_append_that_is_dropped_in_its_middle_is_whole_or_absent_and_holds_nobody_up() {
    let folder = Folder::new("dropped");
    let store = with_visits(&folder.path("a.db")).await;
    let mut finished = 0;
    for polls in 0..20 {
        let batch = [0, 1, 2].map(|index| format!("{polls}-{index}"));
        let batch = batch.each_ref().map(String::as_str);
        let mut appending = pin!(append(&store, "a", &batch));
        let mut left = polls;
        // It is polled again when it has come further.
        let ended = poll_fn(|context| match left {
            0 => Poll::Ready(None),
            _ => {
                left -= 1;
                appending.as_mut().poll(context).map(Some)
            }
        });
        finished += usize::from(ended.await.is_some());
    }
    assert!((1..19).contains(&finished), "{finished} of 20 were not dropped");
    append(&store, "a", &["last"]).await.unwrap();
    let stored = ids(&store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap());
    assert_eq!(stored, ids(&all(&store).await));
    for batch in stored.strip_suffix(&["last".to_owned()]).unwrap().chunks(3) {
        let (number, _) = batch[0].split_once('-').unwrap();
        assert_eq!(batch, [0, 1, 2].map(|index| format!("{number}-{index}")));
    }
}

#[tokio::test]
async fn a_commit_that_fails_holds_nobody_up() {
    let folder = Folder::new("failed-commit");
    let store = with_visits(&folder.path("a.db")).await;
    let mut transaction = store.begin().await.unwrap();
    // As SQLite itself does after some failures.
    sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap_err();
    append(&store, "a", &["1"]).await.unwrap();
    assert_eq!(ids(&all(&store).await), ["1"]);
}

#[tokio::test]
async fn a_full_disk_refuses_an_append_and_takes_the_next_one() {
    let folder = Folder::new("full");
    let store = with_visits(&folder.path("a.db")).await;
    let limit = async |pages: &'static str| {
        let mut transaction = store.begin().await.unwrap();
        sqlx::raw_sql(pages).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    };
    limit("PRAGMA max_page_count = 1").await;
    let large = event("a", "1", &"x".repeat(100_000), 1);
    let large = Append::to(stream("a"), Expected::New, [large]);
    let error = store.append(large.clone()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true), "{error:?}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(store.stream_info(&stream("a")).await.unwrap(), None);
    limit("PRAGMA max_page_count = 100000").await;
    store.append(large).await.unwrap();
}
