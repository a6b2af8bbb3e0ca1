//! What a contestant is, and what one run takes and gives.

use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::body::{self, OrderCreated};

/// Why a run did not come to its end.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A run under way.
pub type Running = Pin<Box<dyn Future<Output = Result<Lap, Failure>>>>;

/// One way to publish and to consume.
pub struct Contestant {
    /// The name in the tables.
    pub name: &'static str,
    /// Publishes every event of the workload, and waits until all are acked.
    pub produce: fn(Arc<Workload>) -> Running,
    /// Consumes every event of the workload as a new group.
    pub consume: fn(Arc<Workload>) -> Running,
}

/// What is published, and where.
pub struct Workload {
    /// Where the broker is, as its contestants take it.
    pub address: String,
    pub events: u64,
    /// What the name of the group begins with; unlike that of any other run.
    pub prefix: String,
    orders: Vec<OrderCreated>,
}

impl Workload {
    pub fn new(address: &str, events: u64, prefix: String) -> Arc<Self> {
        Arc::new(Workload { address: address.to_owned(), events, prefix, orders: body::orders() })
    }

    /// The group that consumes.
    pub fn group(&self) -> String {
        format!("{}.tally", self.prefix)
    }

    /// The events in the order of their publishing.
    pub fn orders(&self) -> impl Iterator<Item = &OrderCreated> + Send {
        self.orders.iter().cycle().take(usize::try_from(self.events).unwrap_or(usize::MAX))
    }

    /// The checksum of all events, each handled once.
    pub fn checksum(&self) -> u64 {
        self.orders().fold(0, |sum, order| sum.wrapping_add(order.checksum()))
    }
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Lap {
    pub elapsed: Duration,
    /// Of the whole process.
    pub cpu: Duration,
}

/// A clock that also knows what the process has used.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    started: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub fn start() -> Self {
        Stopwatch { started: Instant::now(), cpu: cpu() }
    }

    pub fn lap(&self) -> Lap {
        Lap { elapsed: self.started.elapsed(), cpu: cpu().saturating_sub(self.cpu) }
    }
}

/// Counts handled events, and knows when the first one and the last one came.
pub struct Tally {
    events: u64,
    handled: AtomicU64,
    checksum: AtomicU64,
    first: OnceLock<Stopwatch>,
    lap: OnceLock<Lap>,
    done: Notify,
}

impl Tally {
    pub fn of(work: &Workload) -> Arc<Self> {
        Arc::new(Tally {
            events: work.events,
            handled: AtomicU64::new(0),
            checksum: AtomicU64::new(0),
            first: OnceLock::new(),
            lap: OnceLock::new(),
            done: Notify::new(),
        })
    }

    /// The handler's work for one event.
    pub fn handle(&self, order: &OrderCreated) {
        self.checksum.fetch_add(order.checksum(), Ordering::Relaxed);
        let handled = self.handled.fetch_add(1, Ordering::Relaxed) + 1;
        if handled == 1 {
            self.first.get_or_init(Stopwatch::start);
        }
        if handled == self.events {
            let first = self.first.get_or_init(Stopwatch::start);
            self.lap.get_or_init(|| first.lap());
            self.done.notify_one();
        }
    }

    pub fn is_done(&self) -> bool {
        self.handled.load(Ordering::Relaxed) >= self.events
    }

    pub async fn done(&self) {
        while !self.is_done() {
            self.done.notified().await;
        }
    }

    /// The lap, of a run in which every event was handled once.
    pub fn lap(&self, work: &Workload) -> Result<Lap, Failure> {
        let (handled, checksum) =
            (self.handled.load(Ordering::Relaxed), self.checksum.load(Ordering::Relaxed));
        if (handled, checksum) != (work.events, work.checksum()) {
            return Err(
                format!("{handled} events were handled, not {}, or others than those", work.events).into()
            );
        }
        self.lap.get().copied().ok_or_else(|| "the last event was not timed".into())
    }
}

/// What the process has used so far, in user and system mode; nothing where `/proc` does not tell.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // A hundred ticks a second, on every Linux.
    Duration::from_millis(ticks * 10)
}
