//! SQLite.

use jitney::Id;
use jitney::sourcing::{EventStore, Filter};
use jitney::sql::{SqliteOutbox, SqliteStore};

use crate::checks::{Billed, Service};
use crate::folder::Folder;

struct Sqlite {
    store: SqliteStore,
    folder: Folder,
}

impl Sqlite {
    async fn new() -> Self {
        let folder = Folder::new("outbox");
        let store =
            SqliteStore::builder(&folder.path("bills.db")).outbox(Filter::all()).open().await.unwrap();
        Sqlite { store, folder }
    }
}

impl Service for Sqlite {
    type Outbox = SqliteOutbox;

    async fn outbox(&self) -> SqliteOutbox {
        // As another process would open it.
        SqliteOutbox::of(&SqliteStore::open(&self.folder.path("bills.db")).await.unwrap())
    }

    async fn bill(&self, event: &Billed, commit: bool) -> Id {
        let mut transaction = self.store.begin().await.unwrap();
        let outbox = SqliteOutbox::of(&self.store);
        let id = outbox.publish(&mut transaction, event).await.unwrap();
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        id
    }

    fn store(&self) -> &dyn EventStore {
        &self.store
    }
}

all_checks!(Sqlite);
