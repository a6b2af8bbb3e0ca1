//! The conformance suite for event stores on SQLite: in a file that each handle opens anew, and in memory.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jitney::sourcing::{Error, EventStore};
use jitney::sql::SqliteStore;
use jitney_core::personal::Sealer;
use jitney_testkit::stores::{StoreFixture, write_until_killed};

#[path = "sqlite_store/folder.rs"]
#[allow(clippy::unwrap_used)]
mod folder;

use folder::Folder;

/// The variable that tells a writer which file.
const PATH: &str = "JITNEY_TEST_SQLITE";

struct InFile(Folder);

impl InFile {
    fn new() -> Self {
        InFile(Folder::new("suite"))
    }
}

#[async_trait::async_trait]
impl StoreFixture for InFile {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(SqliteStore::open(&self.0.path("store.db")).await?))
    }

    fn seals(&self) -> bool {
        true
    }

    async fn sealed_store(&self, sealer: Arc<dyn Sealer>) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(SqliteStore::builder(&self.0.path("store.db")).sealed_by(sealer).open().await?))
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(3)
    }

    fn writer(&self) -> Option<Command> {
        let mut writer = Command::new(std::env::current_exe().ok()?);
        writer.args(["--exact", "writer_to_be_killed", "--ignored", "--nocapture"]);
        writer.env(PATH, self.0.path("store.db"));
        Some(writer)
    }
}

#[tokio::test]
#[ignore = "the suite starts it, and kills it"]
async fn writer_to_be_killed() {
    let path = std::env::var(PATH).expect("the suite says which file");
    let store = SqliteStore::open(&path).await.expect("the store opens");
    write_until_killed(&store).await.expect("the store takes events until the writer is killed");
}

struct InMemory(SqliteStore);

impl InMemory {
    async fn new() -> Self {
        InMemory(SqliteStore::in_memory().await.expect("a store in memory opens"))
    }
}

#[async_trait::async_trait]
impl StoreFixture for InMemory {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(self.0.clone()))
    }

    fn seals(&self) -> bool {
        true
    }

    async fn sealed_store(&self, sealer: Arc<dyn Sealer>) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(self.0.clone().sealed_by(sealer)))
    }
}

mod sqlite_file {
    jitney_testkit::store_conformance_tests!(super::InFile::new());
}

mod sqlite_memory {
    jitney_testkit::store_conformance_tests!(super::InMemory::new().await);
}
