//! One fact in two versions: every group handles it once, in the highest version that it knows.

use std::sync::{Arc, Mutex};

use jitney::prelude::*;
use jitney_testkit::{TestApp, TestConfig, run_test};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, version = "2", upcast_from = PlacedV1)]
struct Placed {
    order_id: String,
    currency: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, type = "Placed")]
struct PlacedV1 {
    order_id: String,
}

impl From<PlacedV1> for Placed {
    fn from(old: PlacedV1) -> Self {
        Placed { order_id: old.order_id, currency: "USD".to_owned() }
    }
}

#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn add(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn sorted(&self) -> Vec<String> {
        let mut seen = self.0.lock().unwrap().clone();
        seen.sort();
        seen
    }
}

#[handler(group = "new")]
async fn by_the_new(placed: Placed, State(seen): State<Seen>) {
    seen.add(format!("new {} {}", placed.order_id, placed.currency));
}

#[handler(group = "old")]
async fn by_the_old(placed: PlacedV1, State(seen): State<Seen>) {
    seen.add(format!("old {}", placed.order_id));
}

fn config(name: &'static str) -> TestConfig {
    TestConfig { name, semantics: None, seeds: 1, seed: None }
}

#[test]
fn each_group_handles_the_highest_version_that_it_knows() {
    run_test(config("side_by_side"), || async {
        let seen = Seen::default();
        let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![by_the_new, by_the_old]));
        let app = app.state(seen.clone()).await;
        let placed = Placed { order_id: "1".into(), currency: "EUR".into() };
        app.bus()
            .publisher()
            .publish_side_by_side(&placed, &PlacedV1 { order_id: "1".into() })
            .await
            .unwrap();
        app.settled().await;
        assert_eq!(seen.sorted(), ["new 1 EUR", "old 1"]);
        app.assert_no_dead_letters();
    });
}

#[test]
fn two_events_are_not_two_versions() {
    run_test(config("not_two_versions"), || async {
        let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![by_the_new]))
            .state(Seen::default())
            .await;
        let old = PlacedV1 { order_id: "1".into() };
        let error = app.bus().publisher().publish_side_by_side(&old, &old).await.unwrap_err();
        assert!(error.failed()[0].1.to_string().contains("not two versions of one event"), "{error}");
        app.assert_published_times::<Placed>(0);
    });
}
