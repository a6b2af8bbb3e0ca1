//! Slow handlers on one partition: 5 ms each, a thousand keys, and so many lanes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jitney::admin::{Admin, TopicSpec};
use jitney::dispatch::Limits;
use jitney::kafka::Kafka;
use jitney::prelude::*;
use tokio::runtime::Builder;
use tokio::sync::Notify;

use crate::broker::Broker;
use crate::contestant::Failure;
use crate::table::{Row, Table};

const WORK: Duration = Duration::from_millis(5);
const KEYS: u64 = 1_000;
const TOPIC: &str = "Parcel-events";

/// Lanes, and so many events that a run takes some seconds with each.
const SETTINGS: [(usize, u64); 5] = [(1, 400), (8, 3_000), (64, 20_000), (256, 60_000), (1_000, 100_000)];

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel_id)]
struct Weighed {
    parcel_id: u64,
    number: u64,
}

#[derive(Default)]
struct Seen {
    last: Mutex<BTreeMap<u64, u64>>,
    all: Notify,
    open: std::sync::atomic::AtomicU64,
    out_of_order: std::sync::atomic::AtomicU64,
    first: std::sync::OnceLock<Instant>,
}

#[handler(group = "slow")]
async fn weigh(event: Weighed, State(seen): State<Arc<Seen>>) {
    use std::sync::atomic::Ordering;
    seen.first.get_or_init(Instant::now);
    tokio::time::sleep(WORK).await;
    let mut last = seen.last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.insert(event.parcel_id, event.number).is_some_and(|before| before >= event.number) {
        seen.out_of_order.fetch_add(1, Ordering::Relaxed);
    }
    drop(last);
    if seen.open.fetch_sub(1, Ordering::Relaxed) == 1 {
        seen.all.notify_one();
    }
}

/// Measures, and prints the table.
pub fn run() -> Result<(), Failure> {
    let broker = Broker::find()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut rows: Vec<Row> = Vec::new();
    runtime.block_on(async {
        let kafka = Kafka::builder(&broker.address).connect().await?;
        kafka.ensure_topics(&[TopicSpec::new(TOPIC).partitions(1)]).await?;
        let bus = Bus::new(kafka);
        for (lanes, events) in SETTINGS {
            let batch: Vec<_> =
                (0..events).map(|number| Weighed { parcel_id: number % KEYS, number }).collect();
            let seen = Arc::new(Seen { open: events.into(), ..Seen::default() });
            let limits = Limits { concurrency: lanes, events: 4 * KEYS as usize, ..Limits::default() };
            let app = App::new(&format!("lanes-{lanes}-{}", std::process::id()), bus.clone())
                .start_at(jitney::transport::Start::Latest)
                .limits(limits)
                .keep_buses_open()
                .state(Arc::clone(&seen))
                .handlers(handlers![weigh])
                .spawn()
                .await?;
            bus.publish_all(&batch).await?;
            seen.all.notified().await;
            let elapsed = seen.first.get().map(Instant::elapsed).unwrap_or_default().as_secs_f64();
            app.shutdown().await?;
            let out_of_order = seen.out_of_order.load(std::sync::atomic::Ordering::Relaxed);
            let (rate, ideal) = (events as f64 / elapsed, lanes as f64 / WORK.as_secs_f64());
            rows.push(vec![
                lanes.to_string(),
                format!("{rate:.0}"),
                format!("{:.2}", rate / ideal),
                out_of_order.to_string(),
            ]);
        }
        Ok::<(), Failure>(())
    })?;
    let head = ["lanes", "events/s", "of lanes / 5 ms", "out of order in a key"];
    println!("\n{}", Table { head: &head, rows: &rows });
    Ok(())
}
