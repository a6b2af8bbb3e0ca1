//! What the tests have in common: one run of the order service in virtual time.

use std::time::Duration;

use jitney::memory::{Faults, Semantics};
use jitney::prelude::*;
use jitney::processed::MemoryProcessedEvents;
use jitney_testkit::TestApp;

use crate::orders::app::{Views, app};
use crate::orders::cli::DATA;
use crate::orders::input::Catalogue;
use crate::orders::report::Report;
use crate::orders::run::{Ending, Work, run};
use crate::orders::stock::Stock;

/// A run that is about to be made.
pub struct Bench {
    pub input: String,
    pub history: Vec<RawEvent>,
    pub repeat: usize,
    pub semantics: Semantics,
    pub faults: Faults,
    pub seed: u64,
    pub build: fn(Bus, &Views) -> App,
    pub views: Views,
}

/// A run that was made.
pub struct Run {
    pub app: TestApp,
    pub views: Views,
    pub ending: Ending,
    pub report: Report,
}

impl Bench {
    /// All orders, on a bus with no faults.
    pub fn northwind() -> Self {
        Bench::of(&read("orders.jsonl"))
    }

    /// The orders in `input`.
    pub fn of(input: &str) -> Self {
        Bench {
            input: input.to_owned(),
            history: Vec::new(),
            repeat: 1,
            semantics: Semantics::Kafka,
            faults: Faults::none(),
            seed: 7,
            build: app,
            views: Views { stock: Stock::new(catalogue().in_stock()), ..Views::default() },
        }
    }

    pub async fn run(self) -> Run {
        let Bench { input, history, repeat, semantics, faults, seed, build, views } = self;
        let state = views.clone();
        let app =
            TestApp::run(move |bus| build(bus, &state)).semantics(semantics).faults(faults).seed(seed).await;
        let work =
            Work { input: input.as_bytes(), catalogue: &catalogue(), history: &history, store: None, repeat };
        let ending = run(app.running(), &views, work, None, |_| {}, |_, _| {}).await.unwrap();
        let report = Report::new(&views, &app.running().stats());
        Run { app, views, ending, report }
    }
}

/// The application without any memory of what it has handled: what comes again is handled again.
pub fn forgetful(bus: Bus, views: &Views) -> App {
    let nothing = MemoryProcessedEvents::with_bounds(bus.env().clone(), 0, Duration::ZERO);
    app(bus, views).processed_events(nothing)
}

/// The text of a file of the data.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{DATA}/{name}")).unwrap()
}

pub fn catalogue() -> Catalogue {
    Catalogue::read(format!("{DATA}/products.jsonl").as_ref()).unwrap()
}

/// The line of an order for one customer, of so many pieces of product 11 at that price.
pub fn line(order_id: &str, quantity: u32, price: &str) -> String {
    format!(
        r#"{{"orderId":"{order_id}","customerId":"VINET","orderedAt":"1996-07-04","shippedAt":null,"items":[{{"productId":"11","quantity":{quantity},"price":{price},"discount":0}}]}}"#
    ) + "\n"
}
