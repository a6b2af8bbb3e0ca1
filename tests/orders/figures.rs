//! The figures: right, and the same whatever the bus does.

use std::collections::BTreeMap;

use jitney::memory::{Faults, Semantics};

use crate::bench::{Bench, forgetful, line, read};
use crate::orders::app::services;
use crate::orders::report::{Customer, Report};
use crate::orders::run::Ending;

const TOP: [(&str, usize, &str); 10] = [
    ("QUICK", 28, "110277.31"),
    ("ERNSH", 30, "104874.98"),
    ("SAVEA", 31, "104361.95"),
    ("RATTC", 18, "51097.80"),
    ("HUNGO", 19, "49979.91"),
    ("HANAR", 14, "32841.37"),
    ("KOENE", 14, "30908.38"),
    ("FOLKO", 19, "29567.56"),
    ("MEREP", 13, "28872.19"),
    ("WHITC", 14, "27363.61"),
];

/// The figures of the Northwind orders on a bus that does nothing to them.
fn expected() -> Report {
    let by_type = [
        ("OrderCreated", 830),
        ("StockReserved", 830),
        ("PaymentTaken", 820),
        ("PaymentDeclined", 10),
        ("StockReleased", 10),
        ("OrderConfirmed", 820),
        ("OrderCancelled", 10),
        ("OrderShipped", 799),
    ];
    let customer = |(customer_id, orders, net): (&str, usize, &str)| Customer {
        customer_id: customer_id.to_owned(),
        orders,
        net: net.to_owned(),
    };
    Report {
        orders: 830,
        lines: 2_155,
        gross: "1354458.59".to_owned(),
        net: "1265793.04".to_owned(),
        confirmed: 820,
        cancelled: 10,
        shipped: 799,
        refused: 0,
        dead_lettered: 0,
        // Commands: intake and audit. Created: audit, intake, stock, statement, summary. Reserved: audit, payment.
        // Taken, declined, released: audit and one more. Progress: audit, fulfilment, summary, notification.
        handled: 2 * 830 + 5 * 830 + 2 * (830 + 820 + 10 + 10) + 4 * (820 + 10 + 799),
        duplicates: 0,
        retries: 0,
        events_by_type: by_type.map(|(name, number)| (name.to_owned(), number)).into(),
        top_customers: TOP.map(customer).into(),
    }
}

/// A report without what may differ between runs: how often the bus repeated something.
fn steady(report: Report) -> Report {
    Report { duplicates: 0, retries: 0, ..report }
}

#[jitney::test]
async fn the_figures_are_those_of_the_data() {
    let run = Bench::northwind().run().await;
    assert_eq!(run.ending, Ending::Complete);
    assert_eq!(run.report, expected());
    run.app.assert_no_dead_letters();
}

#[jitney::test]
async fn the_figures_are_the_same_on_every_bus_under_faults() {
    let faults = Faults { duplicate: 0.3, crash: 0.01, ..Faults::some() };
    for semantics in [Semantics::Kafka, Semantics::EventBridge, Semantics::RabbitMq] {
        let run = Bench { semantics, faults, ..Bench::northwind() }.run().await;
        assert_eq!(run.ending, Ending::Complete, "{semantics:?}");
        assert!(run.report.duplicates > 0, "the bus repeated nothing: {semantics:?}");
        assert_eq!(steady(run.report), expected(), "{semantics:?}");
    }
}

#[jitney::test]
async fn the_figures_are_the_same_under_every_seed() {
    let some: String = read("orders.jsonl").split_inclusive('\n').take(60).collect();
    let twice = format!("{some}{some}");
    let calm = Bench::of(&twice).run().await;
    assert_eq!((calm.report.orders, calm.report.refused), (60, 60));
    for semantics in [Semantics::Kafka, Semantics::EventBridge, Semantics::RabbitMq] {
        for seed in 0..10 {
            let run = Bench { semantics, seed, faults: Faults::some(), ..Bench::of(&twice) }.run().await;
            assert_eq!(run.ending, Ending::Complete, "{semantics:?}, seed {seed}");
            assert_eq!(steady(run.report), calm.report, "{semantics:?}, seed {seed}");
        }
    }
}

#[jitney::test]
async fn the_same_seed_gives_the_same_run() {
    let some: String = read("orders.jsonl").split_inclusive('\n').take(60).collect();
    let bench = || Bench { semantics: Semantics::EventBridge, faults: Faults::some(), ..Bench::of(&some) };
    let (one, other) = (bench().run().await, bench().run().await);
    assert!(one.report.duplicates > 0, "the bus repeated nothing");
    assert_eq!(one.report, other.report);
}

#[jitney::test]
async fn the_figures_do_not_rest_on_the_memory_of_handled_events() {
    let some: String = read("orders.jsonl").split_inclusive('\n').take(60).collect();
    let faults = Faults { duplicate: 0.5, ..Faults::none() };
    let calm = Bench::of(&some).run().await;
    let run = Bench { build: forgetful, faults, ..Bench::of(&some) }.run().await;
    assert_eq!(run.report.duplicates, 0, "something was remembered");
    assert_eq!(steady(run.report), calm.report);
}

#[jitney::test]
async fn repeated_orders_are_new_orders() {
    let run = Bench { repeat: 3, ..Bench::northwind() }.run().await;
    let (once, thrice) = (expected(), run.report);
    assert_eq!((thrice.orders, thrice.lines, thrice.refused), (3 * 830, 3 * 2_155, 0));
    assert_eq!((thrice.confirmed, thrice.cancelled, thrice.shipped), (3 * 820, 3 * 10, 3 * 799));
    // Three times 1,265,793.0395, rounded once.
    assert_eq!((&*thrice.gross, &*thrice.net), ("4063375.77", "3797379.12"));
    assert_eq!(thrice.handled, 3 * once.handled);
    let tripled: BTreeMap<_, _> =
        once.events_by_type.into_iter().map(|(name, number)| (name, 3 * number)).collect();
    assert_eq!(thrice.events_by_type, tripled);
}

#[jitney::test]
async fn money_is_rounded_once_and_half_up() {
    // Each order is half a cent: rounded one by one they would be 0.02, and cut off 0.00.
    let two = Bench::of(&(line("A", 1, "0.005") + &line("B", 1, "0.005"))).run().await;
    assert_eq!((&*two.report.net, &*two.report.top_customers[0].net), ("0.01", "0.01"));
    let one = Bench::of(&line("A", 1, "0.005")).run().await;
    assert_eq!((&*one.report.net, &*one.report.gross), ("0.01", "0.01"));
}

#[jitney::test]
async fn without_the_projection_there_are_no_figures() {
    let run = Bench { build: services, ..Bench::northwind() }.run().await;
    let Ending::Missing(what) = run.ending else { panic!("nobody noticed") };
    assert!(what.contains("830 are not in the read model"), "{what}");
    let Report { orders, lines, gross, net, confirmed, .. } = run.report;
    assert_eq!((orders, lines, &*gross, &*net, confirmed), (0, 0, "0.00", "0.00", 0));
}
