//! What an application published can be asked for, however much it was.

#![allow(clippy::unwrap_used)]

use jitney_core::event::{DecodeError, DomainEvent, EventType, Keyed, StoredPayload, Version};
use jitney_core::handler::{HandlerSet, HandlerSpec};
use jitney_core::{App, Bus};
use jitney_testkit::{TestApp, TestConfig, run_test};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct ScanStored {
    scan_id: String,
    image: String,
}

impl DomainEvent for ScanStored {
    const TYPES: &'static [EventType] =
        &[EventType::new("ScanStored", "Scan", Version::new(1, 0), "Scan-events")];

    fn event_type(&self) -> &'static EventType {
        &Self::TYPES[0]
    }

    fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
        payload.read()
    }
}

impl Keyed for ScanStored {
    fn aggregate_id(&self) -> String {
        // All in one partition.
        "scanner".to_owned()
    }
}

/// Handles every scan, so that nobody waits for one any more.
async fn index(_: ScanStored) {}

fn app(bus: Bus) -> App {
    App::new("scans", bus).handlers(HandlerSet::new().handler(HandlerSpec::new("index"), index))
}

#[test]
fn large_events_are_all_there_in_the_end() {
    let config = TestConfig { name: "large_events", semantics: None, seeds: 1, seed: None };
    run_test(config, || async {
        let app = TestApp::run(app).await;
        let image = "x".repeat(100_000);
        for number in 0..200 {
            app.publish(&ScanStored { scan_id: number.to_string(), image: image.clone() }).await;
            app.settled().await;
        }
        app.assert_published_times::<ScanStored>(200);
        app.assert_published::<ScanStored>(|scan| scan.scan_id == "0");
    });
}
