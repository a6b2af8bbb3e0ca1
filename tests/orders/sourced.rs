//! Sourced orders in virtual time, on the store in memory: the figures of a run without a store, whatever the bus does, and
//! wherever a run was broken off.

use std::time::Duration;

use jitney::Env;
use jitney::memory::{Faults, Semantics};
use jitney::prelude::*;
use jitney_testkit::TestApp;

use crate::bench::{Bench, catalogue, line, read};
use crate::orders::app::{Views, sourced};
use crate::orders::audit::Audit;
use crate::orders::carry::Carrier;
use crate::orders::report::Report;
use crate::orders::run::{Ending, Work, run};
use crate::orders::stock::Stock;
use crate::orders::store::Store;

/// A run on a store, and what is around it.
struct Sourced {
    views: Views,
    app: TestApp,
    carrier: Carrier,
}

impl Sourced {
    async fn start(store: &Store, semantics: Semantics, faults: Faults, seed: u64) -> Self {
        Sourced::start_with(Audit::default(), store, semantics, faults, seed).await
    }

    async fn start_with(
        audit: Audit,
        store: &Store,
        semantics: Semantics,
        faults: Faults,
        seed: u64,
    ) -> Self {
        let views = Views { audit, stock: Stock::new(catalogue().in_stock()), ..Views::default() };
        let (state, events) = (views.clone(), store.events.clone());
        let build = move |bus: Bus| sourced(bus, &state, Repository::new(events));
        let app = TestApp::run(build).semantics(semantics).faults(faults).seed(seed).await;
        // One that was broken off holds its part of the outbox so long.
        let carrier = store.carry(app.running().bus(), Duration::from_secs(1)).await.unwrap();
        Sourced { views, app, carrier }
    }

    async fn run(&self, store: &Store, input: &str, history: &[RawEvent]) -> (Ending, Report) {
        let store = Some(store);
        let work = Work { input: input.as_bytes(), catalogue: &catalogue(), history, store, repeat: 1 };
        let ending =
            run(self.app.running(), &self.views, work, Some(&self.carrier), |_| {}, |_, _| {}).await.unwrap();
        (ending, Report::new(&self.views, &self.app.running().stats()))
    }

    async fn stop(self) {
        self.carrier.shutdown().await.unwrap();
    }
}

/// One whole run on `store`.
async fn whole(store: &Store, input: &str, history: &[RawEvent]) -> Report {
    let sourced = Sourced::start(store, Semantics::Kafka, Faults::none(), 7).await;
    let (ending, report) = sourced.run(store, input, history).await;
    assert_eq!(ending, Ending::Complete);
    assert!(!sourced.carrier.is_behind().await.unwrap());
    sourced.stop().await;
    report
}

/// `report` without what is told of the process that prints it.
fn of_orders(report: Report) -> Report {
    Report { handled: 0, duplicates: 0, retries: 0, ..report }
}

/// The same as of a run in which `refused` orders were there before.
fn with_refused(mut report: Report, refused: usize) -> Report {
    if refused > 0 {
        report.events_by_type.insert("OrderRefused".to_owned(), refused);
    }
    Report { refused, ..of_orders(report) }
}

fn some(orders: usize) -> String {
    read("orders.jsonl").split_inclusive('\n').take(orders).collect()
}

async fn events(store: &Store) -> jitney::sourcing::Position {
    store.events.end().await.unwrap()
}

#[jitney::test]
async fn the_figures_are_those_of_a_run_without_a_store_and_a_second_run_changes_nothing() {
    let plain = Bench::northwind().run().await.report;
    let store = Store::in_memory(&Env::system(), None);
    let input = read("orders.jsonl");
    let first = whole(&store, &input, &[]).await;
    assert_eq!(first.net, "1265793.04");
    // Intake need not learn of orders that others have created.
    assert_eq!((first.handled, first.duplicates), (plain.handled - 830, 0));
    assert_eq!(of_orders(first.clone()), of_orders(plain));
    let stored = events(&store).await;
    let second = whole(&store, &input, &[]).await;
    assert_eq!(events(&store).await, stored);
    assert_eq!(of_orders(second), with_refused(first, 830));
}

#[jitney::test]
async fn the_figures_are_the_same_under_every_seed() {
    let twice = some(40).repeat(2);
    let calm = Bench::of(&twice).run().await.report;
    for semantics in [Semantics::Kafka, Semantics::EventBridge, Semantics::RabbitMq] {
        for seed in 0..3 {
            let store = Store::in_memory(&Env::system(), None);
            let faults = Faults { duplicate: 0.3, ..Faults::some() };
            let sourced = Sourced::start(&store, semantics, faults, seed).await;
            let (ending, report) = sourced.run(&store, &twice, &[]).await;
            assert_eq!(ending, Ending::Complete, "{semantics:?}, seed {seed}");
            assert_eq!(of_orders(report), of_orders(calm.clone()), "{semantics:?}, seed {seed}");
            sourced.stop().await;
        }
    }
}

#[jitney::test]
async fn a_run_that_was_broken_off_anywhere_is_finished_by_the_next() {
    let input = some(40) + &line("dear", 1, "20000.00");
    let plain = Bench::of(&input).run().await.report;
    let mut cut = 0;
    for (created, finished) in [(1, 0), (5, 0), (20, 0), (41, 0), (0, 1), (0, 10), (0, 25), (0, 40)] {
        for seed in 0..2 {
            let store = Store::in_memory(&Env::system(), None);
            let broken = Sourced::start(&store, Semantics::EventBridge, Faults::some(), seed).await;
            let mut tally = broken.views.summary.tally();
            tokio::select! {
                biased;
                _ = tally.wait_for(|now| now.created >= created && now.finished >= finished) => {}
                _ = broken.run(&store, &input, &[]) => {}
            }
            // Without a word: neither handlers nor relay finish anything.
            drop(broken);
            let left = events(&store).await;
            let before =
                store.events.list_streams(&jitney::sourcing::ListStreams::of("Order")).await.unwrap();
            let report = whole(&store, &input, &[]).await;
            cut += usize::from(events(&store).await != left);
            let at = format!("{created} created, {finished} finished, seed {seed}");
            assert_eq!(of_orders(report), with_refused(plain.clone(), before.len()), "{at}");
        }
    }
    assert!(cut > 12, "only {cut} runs were broken off before their end");
}

#[jitney::test]
async fn what_happened_before_there_was_a_store_is_stored_as_it_was_written_and_goes_on() {
    let path = format!("{}/history-v1.jsonl", crate::orders::cli::DATA);
    let history = crate::orders::history::read_history(path.as_ref()).unwrap();
    let store = Store::in_memory(&Env::system(), None);
    for _ in 0..2 {
        let report = whole(&store, "", &history).await;
        assert_eq!((report.orders, &*report.net, report.shipped, report.refused), (3, "3856.00", 3, 0));
    }
    let stream = jitney::sourcing::StreamId::new("Order", "H-10248");
    let events = store.events.read_stream(&stream, jitney::sourcing::ReadStream::forward()).await.unwrap();
    let first = &events[0];
    assert_eq!(
        (first.head().version.major, &*first.head().event_id.to_string()),
        (1, "3f0c9a52-7d1e-4b6a-9c0d-000000000001")
    );
    assert!(!String::from_utf8_lossy(first.payload_json()).contains("currency"));
    let refused = whole(&store, &line("H-10248", 1, "1.00"), &[]).await;
    assert_eq!((refused.orders, refused.refused), (3, 1));
}

#[jitney::test]
async fn an_order_is_one_tree_of_causes_as_without_a_store() {
    let store = Store::in_memory(&Env::system(), None);
    let audit = Audit::new(Some("dear".to_owned()));
    let run = Sourced::start_with(audit, &store, Semantics::Kafka, Faults::none(), 7).await;
    run.run(&store, &line("dear", 1, "20000.00"), &[]).await;
    let text = crate::orders::follow::tree("dear", run.views.audit.followed());
    let names: Vec<_> = text.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    let expected =
        ["PlaceOrder", "OrderCreated", "StockReserved", "PaymentDeclined", "StockReleased", "OrderCancelled"];
    assert_eq!(names, expected, "{text}");
    run.stop().await;
}
