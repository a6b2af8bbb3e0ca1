//! Writers that are killed at random points.

use std::collections::HashSet;

use jitney::sourcing::{ErrorKind, EventStore, ReadStream};
use jitney::sql::{SqliteStore, sqlx};

use super::child::{Child, Orders, Role, batch, number, obeyed, random};
use super::events::{Written, all, ids, stream};
use super::folder::Folder;

const KILLS: u64 = 12;

/// One after the other, writers are killed while they append to the same file; each leaves one batch of which it is not known
/// whether it is stored. That one is appended again under its ids.
#[test]
fn what_a_killed_writer_was_told_is_stored_once_and_whole() {
    if obeyed() {
        return;
    }
    let folder = Folder::new("killed");
    let path = folder.path("a.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut batches = Vec::new();
    let mut unknown = 0;
    for kill in 0..KILLS {
        let orders = Orders { name: format!("w{kill}"), path: path.clone(), role: Role::Batches };
        let test = "sqlite_store::killed::what_a_killed_writer_was_told_is_stored_once_and_whole";
        let mut writer = Child::start(test, &orders);
        writer.go();
        let enough = random(0, 60);
        let (mut begun, mut acked) = (0, 0);
        while acked < enough || begun == 0 {
            let said = writer.says().expect("the writer has ended by itself");
            begun = number(&said, "begin").unwrap_or(begun);
            acked = number(&said, "acked").unwrap_or(acked);
        }
        writer.kill();
        while let Some(said) = writer.says() {
            begun = number(&said, "begin").unwrap_or(begun);
            acked = number(&said, "acked").unwrap_or(acked);
        }
        runtime.block_on(async {
            let store = SqliteStore::open(&path).await.unwrap();
            if begun > acked {
                unknown += 1;
                let again = store.append(batch(&orders.name, begun)).await;
                assert!(again.is_ok() || again.is_err_and(|error| error.kind() == ErrorKind::Duplicate));
            }
            batches.push((orders.name, begun));
            judge(&store, &batches).await;
            store.close().await;
        });
    }
    assert!(unknown > 0, "no writer was killed while it waited for an answer");
}

/// All of these batches are stored, each once and whole, and nothing else.
async fn judge(store: &SqliteStore, batches: &[(String, u64)]) {
    let check: String =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(store.readers()).await.unwrap();
    assert_eq!(check, "ok");
    let events = all(store).await;
    let count: u64 = batches.iter().map(|(_, last)| last * 3).sum();
    assert_eq!(events.len() as u64, count);
    assert_eq!(ids(&events).iter().collect::<HashSet<_>>().len() as u64, count, "an event is there twice");
    let mut shared = Vec::new();
    for (writer, last) in batches {
        let own = store.read_stream(&stream(writer), ReadStream::forward()).await.unwrap();
        let own: Vec<_> = own.iter().map(|event| event.decode::<Written>().unwrap().batch).collect();
        assert_eq!(own, (1..=*last).flat_map(|number| [number, number]).collect::<Vec<_>>());
        shared.extend((1..=*last).map(|number| (writer.clone(), number)));
    }
    let found = store.read_stream(&stream("shared"), ReadStream::forward()).await.unwrap();
    let found = found.iter().map(|event| event.decode::<Written>().unwrap());
    assert_eq!(found.map(|event| (event.writer, event.batch)).collect::<Vec<_>>(), shared);
}
