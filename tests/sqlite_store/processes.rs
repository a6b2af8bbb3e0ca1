//! Several processes on one file.

use std::collections::HashSet;

use jitney::sourcing::{EventStore, Filter, Position, ReadStream, Subscription};
use jitney::sql::{SqliteStore, sqlx};

use super::child::{Child, Orders, Role, number, obeyed};
use super::events::{ids, stream};
use super::folder::Folder;

/// Starts processes that wait for each other, and then write to `path` so many times each.
fn start_writing(test: &str, path: &str, processes: u64, turns: u64) -> Vec<Child> {
    let start = |process| {
        let orders = Orders { name: format!("w{process}"), path: path.to_owned(), role: Role::Turns(turns) };
        Child::start(test, &orders)
    };
    let mut children: Vec<_> = (0..processes).map(start).collect();
    children.iter_mut().for_each(Child::go);
    children
}

#[test]
fn processes_that_migrate_at_once_make_one_schema() {
    if obeyed() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for round in 0..5 {
        let folder = Folder::new(&format!("migrating-{round}"));
        let path = folder.path("a.db");
        let test = "sqlite_store::processes::processes_that_migrate_at_once_make_one_schema";
        let children = start_writing(test, &path, 4, 1);
        let said: Vec<_> = children.into_iter().flat_map(Child::ends).collect();
        assert_eq!(said.len(), 4);
        runtime.block_on(async {
            let store = SqliteStore::open(&path).await.unwrap();
            let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM jitney_migrations")
                .fetch_all(store.readers())
                .await
                .unwrap();
            assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        });
    }
}

#[test]
fn processes_that_write_at_once_take_turns() {
    if obeyed() {
        return;
    }
    const TURNS: u64 = 150;
    let folder = Folder::new("writing");
    let path = folder.path("a.db");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let test = "sqlite_store::processes::processes_that_write_at_once_take_turns";
    let children = start_writing(test, &path, 2, TURNS);
    // A third process follows them: it must miss nothing, and see nothing twice.
    let following = runtime.spawn(async move {
        let store = SqliteStore::open(&path).await.unwrap();
        let mut subscription =
            Subscription::new(std::sync::Arc::new(store.clone()), Position::START, Filter::all()).batch(3);
        let mut seen = Vec::new();
        while (seen.len() as u64) < 2 * TURNS {
            seen.extend(subscription.next().await.unwrap());
        }
        let stored = store.read_stream(&stream("shared"), ReadStream::forward()).await.unwrap();
        (ids(&seen), ids(&stored))
    });
    let said: Vec<_> = children.into_iter().flat_map(Child::ends).collect();
    let won: HashSet<_> = said.iter().filter_map(|said| number(said, "acked")).collect();
    assert_eq!(won, (1..=2 * TURNS).collect(), "two processes have won the same sequence");
    let (seen, stored) = runtime.block_on(following).unwrap();
    assert_eq!(seen, stored);
}
