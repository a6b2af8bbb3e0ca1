//! Slow handlers: what the dispatcher adds to 5 ms of waiting, for 1, 8 and 64 lanes.
//!
//! ```text
//! cargo bench --bench dispatch
//! cargo bench --bench dispatch -- 21     # rounds, 11 unless told otherwise
//! ```
//!
//! One partition, 1,000 keys, a handler that sleeps. Beside it, in pairs that are run in turn, the same sleeps under a
//! bare `for_each_concurrent`: no bus, no bytes, no keys. The time runs from the first publish to the last handled
//! event; the ratio is taken within each pair.

#![allow(clippy::disallowed_methods, reason = "a bench measures: it reads the clock and sleeps by itself")]
#![allow(unreachable_pub, reason = "the files are modules of several binaries")]
#![cfg_attr(test, allow(unused_imports, reason = "there is no test harness here; the peers have it"))]

#[path = "process/quartiles.rs"]
mod quartiles;
#[path = "process/table.rs"]
mod table;

use std::env;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use jitney::dispatch::Limits;
use jitney::memory::Memory;
use jitney::prelude::*;
use quartiles::Quartiles;
use table::{Row, Table};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::sleep;

const WORK: Duration = Duration::from_millis(5);
const KEYS: u64 = 1_000;

/// Lanes, and so many events that a run takes about as long with each.
const SETTINGS: [(usize, u64); 3] = [(1, 100), (8, 1_000), (64, 4_000)];

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: u64,
    cents: u64,
}

/// What is still to be handled.
struct Open {
    events: AtomicU64,
    none: Notify,
}

#[handler(group = "slow")]
async fn slow(_paid: OrderPaid, State(open): State<Arc<Open>>) {
    sleep(WORK).await;
    if open.events.fetch_sub(1, Ordering::SeqCst) == 1 {
        open.none.notify_one();
    }
}

async fn jitney(lanes: usize, events: u64) -> Result<Duration, Failure> {
    let open = Arc::new(Open { events: AtomicU64::new(events), none: Notify::new() });
    let app = App::new("bench", Bus::new(Memory::builder().partitions(1).build()))
        .limits(Limits { concurrency: lanes, ..Limits::default() })
        .state(Arc::clone(&open))
        .handlers(handlers![slow])
        .spawn()
        .await?;

    let started = Instant::now();
    for number in 0..events {
        app.bus().publish(&OrderPaid { order_id: number % KEYS, cents: number }).await?;
    }
    open.none.notified().await;
    let elapsed = started.elapsed();
    app.shutdown().await?;
    Ok(elapsed)
}

async fn bare(lanes: usize, events: u64) -> Duration {
    let started = Instant::now();
    futures_util::stream::iter(0..events).for_each_concurrent(lanes, |_| sleep(WORK)).await;
    started.elapsed()
}

/// One row: the medians of either side, and the quartiles of the pairs' ratios.
async fn pairs(lanes: usize, events: u64, rounds: usize) -> Result<Row, Failure> {
    let (mut ours, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        eprintln!("{lanes} lanes, pair {} of {rounds}", round + 1);
        let floor = bare(lanes, events).await.as_secs_f64();
        let our = jitney(lanes, events).await?.as_secs_f64();
        floors.push(floor);
        ours.push(our);
        ratios.push(our / floor);
    }
    let ratio = Quartiles::of(&ratios);
    Ok(vec![
        lanes.to_string(),
        events.to_string(),
        format!("{:.1}", Quartiles::of(&floors).median * 1e3),
        format!("{:.1}", Quartiles::of(&ours).median * 1e3),
        format!("{:.3}", ratio.median),
        format!("{:.3} to {:.3}", ratio.low, ratio.high),
    ])
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() {
        return Ok(()); // `cargo test --benches`: `cargo bench` says `--bench`
    }
    let rounds = match arguments.iter().find(|argument| *argument != "--bench") {
        None => 11,
        Some(rounds) => rounds.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(|| {
            format!("`{rounds}` is no number of rounds; give one from 1, as in `cargo bench --bench dispatch -- 21`")
        })?,
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for (lanes, events) in SETTINGS {
        rows.push(runtime.block_on(pairs(lanes, events, rounds))?);
    }
    let head = ["lanes", "events", "bare, ms", "jitney, ms", "jitney / bare", "quartiles"];
    print!("{}", Table { head: &head, rows: &rows });
    Ok(())
}
