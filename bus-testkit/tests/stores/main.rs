//! The suite for event stores passes an intact store, and names what is broken in each of many others.

#![allow(clippy::unwrap_used, missing_docs)]

mod broken;
mod faults;
mod killed;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jitney_core::personal::Sealer;
use jitney_sourcing::{Error, EventStore, Sealing, StreamsPerAppend};
use jitney_testkit::conformance::Report;
use jitney_testkit::stores::{self, Disturbance, StoreFixture};

use broken::{Broken, Fault, Shared};

/// A store in memory that says of itself that it is durable, intact or with one fault.
struct Bench {
    shared: Arc<Shared>,
    fault: Option<Fault>,
    streams: StreamsPerAppend,
}

impl Bench {
    fn intact(streams: StreamsPerAppend) -> Self {
        Bench { shared: Arc::default(), fault: None, streams }
    }

    fn with(fault: Fault) -> Self {
        let streams = match fault {
            Fault::TakesWhatDoesNotGoTogether => StreamsPerAppend::SamePart,
            _ => StreamsPerAppend::Any,
        };
        Bench { fault: Some(fault), ..Bench::intact(streams) }
    }
}

impl Bench {
    async fn open(&self, sealing: Sealing) -> Result<Arc<dyn EventStore>, Error> {
        let Bench { shared, fault, streams } = self;
        let store = Broken { shared: Arc::clone(shared), fault: *fault, streams: *streams, sealing };
        store.open().await?;
        Ok(Arc::new(store))
    }
}

#[async_trait::async_trait]
impl StoreFixture for Bench {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        self.open(Sealing::default()).await
    }

    fn seals(&self) -> bool {
        true
    }

    async fn sealed_store(&self, sealer: Arc<dyn Sealer>) -> Result<Arc<dyn EventStore>, Error> {
        self.open(Sealing::by(sealer)).await
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(if self.fault.is_some_and(Fault::keeps_waiting) { 2 } else { 30 })
    }

    fn secret(&self) -> Option<&str> {
        Some(broken::SECRET)
    }

    fn can_disturb(&self, _: Disturbance) -> bool {
        true
    }

    async fn disturb(&self, _: Disturbance) -> Result<(), Error> {
        self.shared.shaken.store(8, Ordering::SeqCst);
        Ok(())
    }
}

mod intact {
    mod any_streams {
        use jitney_sourcing::StreamsPerAppend;

        jitney_testkit::store_conformance_tests!(crate::Bench::intact(StreamsPerAppend::Any));
    }

    mod streams_of_one_part {
        use jitney_sourcing::StreamsPerAppend;

        jitney_testkit::store_conformance_tests!(crate::Bench::intact(StreamsPerAppend::SamePart));
    }

    mod one_stream {
        use jitney_sourcing::StreamsPerAppend;

        jitney_testkit::store_conformance_tests!(crate::Bench::intact(StreamsPerAppend::One));
    }
}

/// Runs one check on a store with one fault.
fn report(check: &str, fault: Fault) -> Report {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async { stores::run_only(&Bench::with(fault), check).await })
}

#[test]
#[should_panic(expected = "no check of stores is called")]
fn a_name_that_is_no_check_is_refused() {
    stores::test("no_such_check", async { Bench::intact(StreamsPerAppend::Any) });
}
