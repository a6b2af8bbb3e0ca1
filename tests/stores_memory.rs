//! The conformance suite for event stores on the store in memory.

use std::sync::Arc;

use jitney::sourcing::{Error, EventStore, MemoryStore};
use jitney_core::personal::Sealer;
use jitney_testkit::stores::{self, StoreFixture};

struct InMemory(MemoryStore);

impl InMemory {
    fn new() -> Self {
        InMemory(MemoryStore::new())
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

mod memory {
    jitney_testkit::store_conformance_tests!(super::InMemory::new());
}

/// What the store does not promise, or cannot be shown, is skipped, and nothing else is.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_not_promised_is_skipped() {
    let report = stores::run(&InMemory::new()).await;
    report.assert_passed();
    let skipped: Vec<_> = report.skipped().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        skipped,
        [
            "refuses_streams_that_do_not_go_together",
            "keeps_everything_over_reopening",
            "keeps_snapshots_over_reopening",
            "survives_restarts_of_the_server",
            "survives_kills_of_the_server",
            "survives_writers_that_are_killed",
            "keeps_credentials_to_itself"
        ]
    );
}
