//! Jitney: the memory bus by Kafka's rules, one group with lanes by key, everything an application gets.
//!
//! Publishing builds the envelope, encodes it and waits for the bus to have it; the bus holds at most `window` events
//! that are not settled, and keeps none for replay, as its peers. The application decodes, routes, runs the handler in
//! the lane of its key under a time limit and with panics caught, and settles.

use std::sync::Arc;

use jitney::app::RunningApp;
use jitney::memory::Memory;
use jitney::prelude::*;

use crate::body::OrderCreated;
use crate::contestant::{Contestant, Failure, Lap, Stopwatch, Workload};
use crate::tally::Tally;

pub const CONTESTANT: Contestant = Contestant {
    name: "jitney",
    equal_work: "floor",
    does: "the floor's envelope and headers, through the memory bus and the dispatcher: partitions, lanes by key, \
           time limit, panics caught, settled",
    run: |work| Box::pin(run(work)),
};

#[handler(group = "tally")]
async fn count(order: Envelope<OrderCreated>, State(tally): State<Arc<Tally>>) {
    tally.handle(&order);
}

async fn run(work: Arc<Workload>) -> Result<Lap, Failure> {
    let bus = Bus::new(memory(&work));
    run_on(bus, work).await
}

/// The memory bus with room for what may be in flight.
pub fn memory(work: &Workload) -> Memory {
    Memory::builder().capacity(work.window).history(0).build()
}

/// Runs the workload on `bus`.
pub async fn run_on(bus: Bus, work: Arc<Workload>) -> Result<Lap, Failure> {
    let tally = Tally::shared();
    let app = start(bus, &tally).await?;
    let (bus, events) = (app.bus().clone(), work.events);

    let stopwatch = Stopwatch::start(&tally);
    tokio::spawn(publish(work, bus)).await??;
    let lap = stopwatch.finish(events).await;
    app.shutdown().await?;
    Ok(lap)
}

/// The application on `bus` whose handler calls `tally`.
pub async fn start(bus: Bus, tally: &Arc<Tally>) -> Result<RunningApp, Failure> {
    Ok(App::new("bench", bus).state(Arc::clone(tally)).handlers(handlers![count]).spawn().await?)
}

/// Publishes every event of `work`, one after the other.
pub async fn publish(work: Arc<Workload>, bus: Bus) -> Result<(), Failure> {
    for (_, order) in work.orders() {
        bus.publish(order).await?;
    }
    Ok(())
}
