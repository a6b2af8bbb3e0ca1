//! The figures at the end, checked against a computation of their own from the same file.

use jitney::memory::{Faults, Semantics};

use crate::report::Report;
use crate::{Run, first, northwind};

/// The figures that depend on the orders alone, and not on what happened on the way.
fn lasting(report: &Report) -> Report {
    Report { duplicates: 0, retries: 0, ..report.clone() }
}

#[test]
fn the_northwind_orders_give_the_figures_of_the_database() {
    let report = Run::new(Semantics::Kafka).on(&northwind()).report;
    assert_eq!((report.orders, report.lines), (830, 2155));
    assert_eq!((&*report.gross, &*report.net), ("1354458.59", "1265793.04"));
    assert_eq!((report.confirmed, report.cancelled, report.shipped, report.refused), (820, 10, 799, 0));
    assert_eq!((report.dead_lettered, report.duplicates, report.retries), (0, 0, 0));
    let top: Vec<_> = report.top_customers.iter().map(|c| (&*c.customer_id, c.orders, &*c.net)).collect();
    assert_eq!(
        top,
        [
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
        ],
    );
    let types: Vec<_> = report.events_by_type.iter().map(|(name, number)| (&**name, *number)).collect();
    assert_eq!(
        types,
        [
            ("OrderCancelled", 10),
            ("OrderConfirmed", 820),
            ("OrderCreated", 830),
            ("OrderShipped", 799),
            ("PaymentDeclined", 10),
            ("PaymentTaken", 820),
            ("StockReleased", 10),
            ("StockReserved", 830),
        ],
    );
}

#[test]
fn every_bus_gives_the_same_figures_under_faults() {
    let expected = lasting(&Run::new(Semantics::Kafka).on(&northwind()).report);
    let faults = Faults { duplicate: 0.3, ..Faults::some() };
    for semantics in [Semantics::Kafka, Semantics::EventBridge, Semantics::RabbitMq] {
        let report = Run::new(semantics).faults(7, faults).on(&northwind()).report;
        assert!(report.duplicates > 0, "{semantics:?}: the faults must have struck");
        assert_eq!(lasting(&report), expected, "{semantics:?}");
    }
}

#[test]
fn every_seed_gives_the_same_figures() {
    let input = first(60);
    let expected = lasting(&Run::new(Semantics::Kafka).on(&input).report);
    for semantics in [Semantics::Kafka, Semantics::EventBridge, Semantics::RabbitMq] {
        for seed in 0..40 {
            let report = Run::new(semantics).faults(seed, Faults::some()).on(&input).report;
            assert_eq!(lasting(&report), expected, "{semantics:?}, seed {seed}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let again = || Run::new(Semantics::EventBridge).faults(3, Faults::some()).on(&first(60)).report;
    assert_eq!(again(), again());
}

#[test]
fn orders_that_are_repeated_come_under_new_ids() {
    let report = Run { repeat: 3, ..Run::new(Semantics::Kafka) }.on(&first(10)).report;
    assert_eq!((report.orders, report.refused), (30, 0));
}

#[test]
fn an_order_that_exists_is_refused() {
    let report = Run::new(Semantics::Kafka).on(&first(10).repeat(2)).report;
    assert_eq!((report.orders, report.refused, report.events_by_type["OrderRefused"]), (10, 10, 10));
}
