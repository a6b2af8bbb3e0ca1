//! Waiting for events of this process and of others.

use std::time::Duration;

use jitney::Env;
use jitney::sourcing::{Append, EventStore, Expected, Position, TransactionalStore};
use jitney::sql::SqliteStore;

use super::events::{append, event, stream};
use super::folder::Folder;

/// Far longer than what is waited for takes.
const HOUR: Duration = Duration::from_secs(3_600);

async fn within_a_minute(future: impl Future<Output = ()>) {
    Env::system().timeout(Duration::from_secs(60), future).await.expect("it waits for the whole time");
}

#[tokio::test]
async fn an_append_of_this_process_wakes_who_waits_without_a_look_at_the_file() {
    let folder = Folder::new("wakes");
    let store = SqliteStore::builder(&folder.path("a.db")).poll_every(HOUR).open().await.unwrap();
    let (waiting, appending) = (store.clone(), store);
    within_a_minute(async move {
        let both =
            async { tokio::join!(waiting.wait(&Position::START, HOUR), append(&appending, "a", &["1"])) };
        let (waited, appended) = both.await;
        waited.unwrap();
        appended.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_commit_of_a_transaction_wakes_who_waits_when_it_is_told() {
    let folder = Folder::new("told");
    let store = SqliteStore::builder(&folder.path("a.db")).poll_every(HOUR).open().await.unwrap();
    within_a_minute(async {
        let committing = async {
            let mut transaction = store.begin().await.unwrap();
            let one = Append::to(stream("a"), Expected::New, [event("a", "1", "test", 1)]);
            store.append_in(&mut transaction, one).await.unwrap();
            transaction.commit().await.unwrap();
            store.wake_readers();
        };
        let (waited, ()) = tokio::join!(store.wait(&Position::START, HOUR), committing);
        waited.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_append_elsewhere_wakes_everybody_who_waits() {
    let folder = Folder::new("elsewhere");
    let path = folder.path("a.db");
    let (store, other) = (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
    let position = append(&other, "a", &["1"]).await.unwrap().position;
    within_a_minute(async {
        let waiting = [&position, &position, &Position::START].map(|after| store.wait(after, HOUR));
        let waiting = futures_util::future::try_join_all(waiting);
        let (waited, appended) = tokio::join!(waiting, append(&other, "a", &["2"]));
        waited.unwrap();
        appended.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_longer_than_asked() {
    let store = SqliteStore::in_memory().await.unwrap();
    within_a_minute(async { store.wait(&Position::START, Duration::from_millis(5)).await.unwrap() }).await;
}
