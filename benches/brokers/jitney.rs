//! Jitney: batches published through the bus, and an application that consumes, with the defaults of both.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jitney::prelude::*;

use crate::body::OrderCreated;
use crate::broker::Broker;
use crate::contestant::{Contestant, Failure, Lap, Running, Stopwatch, Tally, Workload};

pub const CONTESTANT: Contestant = Contestant { name: "jitney", produce, consume };

/// The same with two members of the group in the process, each on a thread of its own.
pub const TWO_MEMBERS: Contestant =
    Contestant { name: "jitney-2", produce, consume: |work| Box::pin(on_two_threads(work)) };

/// How long closing a bus may take.
const CLOSING: Duration = Duration::from_secs(10);

/// So many events are published at once,
pub const BATCH: usize = 500;
/// in so many calls that are under way.
pub const CALLS: usize = 32;

fn produce(work: Arc<Workload>) -> Running {
    Box::pin(async move { publish(&work).await })
}

async fn publish(work: &Workload) -> Result<Lap, Failure> {
    let bus = Broker::bus(&work.address).await?;
    let orders: Vec<&OrderCreated> = work.orders().collect();
    let stopwatch = Stopwatch::start();
    let mut batches = futures_util::stream::iter(orders.chunks(BATCH))
        .map(|batch| bus.publish_all(batch.iter().copied()))
        .buffer_unordered(CALLS);
    let mut acked = 0;
    while let Some(ids) = batches.next().await {
        acked += ids?.len() as u64;
    }
    let lap = stopwatch.lap();
    drop(batches);
    bus.close(CLOSING).await?;
    if acked == work.events {
        Ok(lap)
    } else {
        Err(format!("{acked} were acked, not {}", work.events).into())
    }
}

/// Makes the group that consumes, for brokers that keep nothing for a group that does not exist.
pub async fn make_group(work: &Workload) -> Result<(), Failure> {
    let bus = Broker::bus(&work.address).await?;
    app(work, bus.clone(), Tally::of(work)).provision().await?;
    Ok(bus.close(CLOSING).await?)
}

/// Takes the group away again.
pub async fn delete_group(work: &Workload) -> Result<(), Failure> {
    let bus = Broker::bus(&work.address).await?;
    bus.admin()?.delete_group(&work.group()).await?;
    Ok(bus.close(CLOSING).await?)
}

fn app(work: &Workload, bus: Bus, tally: Arc<Tally>) -> App {
    App::new("bench", bus).group_prefix(&work.prefix).state(tally).handlers(handlers![count])
}

#[handler(group = "tally")]
async fn count(order: Envelope<OrderCreated>, State(tally): State<Arc<Tally>>) {
    tally.handle(&order);
}

fn consume(work: Arc<Workload>) -> Running {
    Box::pin(async move { receive(&work, 1).await })
}

async fn on_two_threads(work: Arc<Workload>) -> Result<Lap, Failure> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let lap = match runtime {
            Ok(runtime) => {
                runtime.block_on(async { tokio::spawn(async move { receive(&work, 2).await }).await })
            }
            Err(error) => return drop(tell.send(Err(error.into()))),
        };
        drop(tell.send(lap.unwrap_or_else(|error| Err(error.into()))));
    });
    told.await?
}

async fn receive(work: &Workload, members: u32) -> Result<Lap, Failure> {
    let tally = Tally::of(work);
    let bus = Broker::bus(&work.address).await?;
    let app = app(work, bus, Arc::clone(&tally)).members(members).spawn().await?;
    tally.done().await;
    app.shutdown().await?;
    tally.lap(work)
}
