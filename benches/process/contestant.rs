//! What a contestant is, and what one run takes and gives.
//!
//! To add one: write a file with a `pub const CONTESTANT`, name the module beside the others, and
//! put the constant in `contestants::ALL`. Its run sets up untimed, starts a [`Stopwatch`], spawns a publisher
//! that publishes every event of the [`Workload`] in order with at most `window` in flight, has a
//! handler call [`Tally::handle`] for each, waits for the last and returns the [`Lap`].

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::body::{self, OrderCreated};
use crate::tally::Tally;

/// Why a run did not come to its end.
pub type Failure = Box<dyn Error + Send + Sync>;

/// A run under way.
pub type Running = Pin<Box<dyn Future<Output = Result<Lap, Failure>>>>;

/// One way to bring an event from its publisher to its handler.
#[derive(Debug)]
pub struct Contestant {
    /// The name in the tables and on the command line.
    pub name: &'static str,
    /// The name of the floor that does the same work: with an envelope, or without.
    pub equal_work: &'static str,
    /// What one event goes through, for the reader of the tables.
    pub does: &'static str,
    /// Runs the workload once, on the runtime that polls it.
    pub run: fn(Arc<Workload>) -> Running,
}

/// What a run publishes.
#[derive(Debug)]
pub struct Workload {
    pub events: u64,
    /// The most events that may be published and not yet handled.
    pub window: usize,
    orders: Vec<OrderCreated>,
}

impl Workload {
    pub fn new(events: u64, window: usize) -> Arc<Self> {
        Arc::new(Self { events, window, orders: body::orders() })
    }

    /// The events in the order of their publishing.
    pub fn orders(&self) -> impl Iterator<Item = (u64, &OrderCreated)> + Send {
        (0..self.events).zip(self.orders.iter().cycle())
    }

    /// The checksum of all events, each handled once.
    pub fn checksum(&self) -> u64 {
        self.orders().fold(0, |sum, (_, order)| sum.wrapping_add(order.checksum()))
    }

    /// The mean size of a body as JSON, in bytes.
    pub fn mean_body(&self) -> Result<usize, Failure> {
        let mut bytes = 0;
        for order in &self.orders {
            bytes += serde_json::to_vec(order)?.len();
        }
        Ok(bytes / self.orders.len())
    }
}

/// Times the part of a run between the first publish and the last handled event.
#[derive(Debug)]
pub struct Stopwatch {
    tally: Arc<Tally>,
    started: Instant,
}

impl Stopwatch {
    pub fn start(tally: &Arc<Tally>) -> Self {
        Self { tally: Arc::clone(tally), started: Instant::now() }
    }

    /// Waits until `events` events are handled, and stops.
    pub async fn finish(self, events: u64) -> Lap {
        self.tally.until(events).await;
        let elapsed = self.started.elapsed();
        Lap { elapsed, handled: self.tally.handled(), checksum: self.tally.checksum() }
    }
}

/// What came of one run.
#[derive(Debug)]
pub struct Lap {
    pub elapsed: Duration,
    handled: u64,
    checksum: u64,
}

impl Lap {
    /// Refuses a run that did not handle every event of `work` exactly once.
    pub fn verified(self, work: &Workload) -> Result<Self, Failure> {
        if self.handled != work.events {
            return Err(format!("{} events were handled, not {}", self.handled, work.events).into());
        }
        let expected = work.checksum();
        if self.checksum != expected {
            return Err(format!("the checksum is {:x}, not {expected:x}", self.checksum).into());
        }
        Ok(self)
    }
}
