//! Events of version 1.

use std::path::{Path, PathBuf};

use jitney::memory::{Faults, Semantics};
use jitney::prelude::*;

use crate::bench::{Bench, line};
use crate::orders::app::{Views, app};
use crate::orders::cli::DATA;
use crate::orders::events::OrderCreated;
use crate::orders::history::read_history;

fn archive() -> PathBuf {
    Path::new(DATA).join("history-v1.jsonl")
}

#[derive(Clone, Default)]
struct Currencies(std::sync::Arc<std::sync::Mutex<Vec<(String, String)>>>);

#[handler(group = "currencies")]
async fn note_currency(order: OrderCreated, State(seen): State<Currencies>) {
    seen.0.lock().unwrap().push((order.order_id, order.currency));
}

thread_local! {
    static SEEN: Currencies = Currencies::default();
}

fn with_currencies(bus: Bus, views: &Views) -> App {
    app(bus, views).state(SEEN.with(Currencies::clone)).handlers(handlers![note_currency])
}

#[jitney::test]
async fn events_of_version_1_come_through_the_upcaster_as_they_were_written() {
    let history = read_history(&archive()).unwrap();
    let run = Bench { history, build: with_currencies, ..Bench::of("") }.run().await;
    assert_eq!((run.report.orders, run.report.lines), (3, 8));
    // 440.00 + 1863.40 + 1813.00, and with discounts 440.00 + 1863.40 + 1552.60.
    assert_eq!((&*run.report.gross, &*run.report.net), ("4116.40", "3856.00"));
    assert_eq!((run.report.confirmed, run.report.shipped), (3, 3));

    let mut seen = SEEN.with(|seen| seen.0.lock().unwrap().clone());
    seen.sort();
    let usd = ["H-10248", "H-10249", "H-10250"].map(|order| (order.to_owned(), "USD".to_owned()));
    assert_eq!(seen, usd);

    let stored = run.app.memory().messages("Order-events");
    let first = stored.iter().find(|message| message.key.as_deref() == Some(b"H-10248")).unwrap();
    let body = std::str::from_utf8(&first.body).unwrap();
    for part in [
        r#""eventId":"3f0c9a52-7d1e-4b6a-9c0d-000000000001""#,
        r#""timestamp":"1996-07-04T09:00:00.000Z""#,
        r#""version":1"#,
        r#""correlationId":"h-1""#,
    ] {
        assert!(body.contains(part), "{part} is not in {body}");
    }
    assert!(!body.contains("currency"), "{body}");
}

#[jitney::test]
async fn an_order_of_the_past_is_not_created_again() {
    let history = read_history(&archive()).unwrap();
    for seed in 0..20 {
        let (semantics, faults, history) = (Semantics::EventBridge, Faults::some(), history.clone());
        let input = line("H-10248", 1, "1.00");
        let run = Bench { history, semantics, faults, seed, ..Bench::of(&input) }.run().await;
        assert_eq!((run.report.orders, run.report.refused), (3, 1), "seed {seed}");
        assert_eq!(run.report.net, "3856.00", "seed {seed}");
    }
}

#[test]
fn an_archive_that_cannot_be_read_is_refused_with_its_line() {
    let good = std::fs::read_to_string(archive()).unwrap();
    let first = good.lines().next().unwrap();
    for (line, wrong) in [
        ("{", "line 2: "),
        (&first.replace("OrderCreated", "OrderForgotten").replace("10248", "1"), "OrderForgotten"),
        (&first.replace(r#""version":1"#, r#""version":3"#), "3"),
        (&first.replace(r#""14.00""#, "14.00"), "14.0"),
        (&first.replace(r#""quantity":12"#, r#""quantity":-12"#), "the quantity is -12"),
        (first, "order `H-10248` was created before"),
    ] {
        let path = std::env::temp_dir().join(format!("jitney-orders-history-{}.jsonl", std::process::id()));
        std::fs::write(&path, format!("{first}\n{line}\n")).unwrap();
        let error = read_history(&path).map(drop).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("line 2: ") && error.contains(wrong), "{wrong}: {error}");
    }
}
