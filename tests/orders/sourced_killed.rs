//! Sourced orders in a process that is killed, wherever it is; the next one finishes what it has begun.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bench::{line, read};
use crate::process::{Process, command, figures, of_orders};
use crate::sourced_database::{Database, has_events};

/// The bound of a wait, in pauses.
const PAUSES: usize = 12_000;
const PAUSE: Duration = Duration::from_millis(5);

async fn is_finished_by_the_next(database: &Database, places: &[usize]) {
    let (url, env) = (database.url(), jitney::Env::system());
    let input: String = read("orders.jsonl").split_inclusive('\n').take(127).collect();
    // As many as the desk sends at once, and again, so that none waits for more.
    let input = input + &line("dear", 1, "20000.00");
    let file = std::env::temp_dir().join(format!("jitney-orders-killed-{}", env.new_id()));
    std::fs::write(&file, &input).unwrap();
    let arguments = format!("--json --input {}", file.display());
    let plain = of_orders(figures(command("memory://", &arguments)));
    let arguments = format!("{arguments} --store {url}");

    let store = database.store().await.events;
    for place in places {
        // It waits for more orders, so that it does not end by itself.
        let mut killed = Process::start_fed(command("memory://", &format!("--store {url} --input -")));
        killed.feed(&input);
        for pause in 0.. {
            if has_events(&*store, *place).await {
                break;
            }
            assert!(pause < PAUSES, "there are no {place} events");
            env.sleep(PAUSE).await;
        }
        drop(killed);
    }
    for _ in 0..2 {
        let before = database.orders().await;
        let after = of_orders(figures(command("memory://", &arguments)));
        assert_eq!(after, with_refused(plain.clone(), before));
    }
    assert_eq!(database.orders().await, 128);
    std::fs::remove_file(&file).unwrap();
}

fn with_refused(mut figures: Value, refused: usize) -> Value {
    if refused > 0 {
        figures["refused"] = json!(refused);
        figures["eventsByType"]["OrderRefused"] = json!(refused);
    }
    figures
}

/// One process is killed after the other, each time a little further on.
#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_on_sqlite_is_finished_by_the_next() {
    is_finished_by_the_next(&Database::sqlite(), &[1, 150, 350]).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_on_postgres_is_finished_by_the_next() {
    is_finished_by_the_next(&Database::postgres().await, &[50, 300]).await;
}

#[cfg(feature = "kafka")]
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_on_kafka_is_finished_by_the_next() {
    is_finished_by_the_next(&Database::kafka(), &[100, 300]).await;
}
