//! RustStream on its memory broker: a typed publish, a typed subscriber, its default JSON codec.
//!
//! The service is the one its documentation shows: a handler mounted on a started app, and a
//! publish through the broker's own publisher. The broker's queue has no bound, so the publisher
//! paces itself. The keyed form sends the order's id in the `partition-key` header, from which
//! RustStream's keyed workers choose a lane.

use std::convert::Infallible;
use std::sync::Arc;

use ruststream::memory::prelude::*;
use ruststream::memory::{MemoryPublisher, PARTITION_KEY_HEADER};
use ruststream::runtime::{BrokerScope, Identity};
use ruststream::{CallerName, MessageHeaders, NoHeaders, OutgoingDestination, Str};

use crate::body::OrderCreated;
use crate::contestant::{Contestant, Failure, Lap, Stopwatch, Workload};
use crate::tally::{Pace, Tally};

pub const SEQUENTIAL: Contestant = Contestant {
    name: "ruststream",
    equal_work: "floor-payload",
    does: "RustStream 0.7.7, memory broker, default JSON codec, sequential dispatch: the payload alone, \
           no envelope, no headers",
    run: |work| Box::pin(run(work, |scope| drop(scope.include(sequential)), publish)),
};

pub const KEYED: Contestant = Contestant {
    name: "ruststream-keyed",
    equal_work: "floor-payload",
    does: "the same with `workers(4, by_key)`: the payload, and a `partition-key` header with the order id",
    run: |work| Box::pin(run(work, |scope| drop(scope.include(keyed)), publish_keyed)),
};

/// Where events are published and read.
pub const CHANNEL: &str = "orders";

/// The scope handlers are mounted on; they all share a tally.
pub type Scope = BrokerScope<MemoryBroker, Identity, (), Arc<Tally>>;

// The two declarations `#[derive(Outgoing)]` writes, by hand: the body stays free of any library.
impl OutgoingDestination for OrderCreated {
    type Form = CallerName;
}

impl MessageHeaders for OrderCreated {
    type Contract = NoHeaders;
}

#[subscriber("orders")]
async fn sequential(order: &OrderCreated, ctx: &mut Context<'_, (), Arc<Tally>>) -> HandlerOutcome {
    ctx.state().handle(order);
    HandlerOutcome::ack()
}

#[subscriber("orders", workers(4, by_key))]
async fn keyed(order: &OrderCreated, ctx: &mut Context<'_, (), Arc<Tally>>) -> HandlerOutcome {
    ctx.state().handle(order);
    HandlerOutcome::ack()
}

/// Starts the service `mount` makes, and times `publish` until every event is handled.
pub async fn run<P, F>(
    work: Arc<Workload>,
    mount: impl FnOnce(&mut Scope),
    publish: P,
) -> Result<Lap, Failure>
where
    P: FnOnce(Arc<Workload>, MemoryPublisher, Pace) -> F,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let tally = Tally::shared();
    let state = Arc::clone(&tally);
    let broker = MemoryBroker::new();
    let service = RustStream::new(AppInfo::new("peers", "0.0.0"))
        .on_startup(async move |()| Ok::<_, Infallible>(state))
        .with_broker(broker.clone(), mount)
        .start()
        .await?;
    let events = work.events;
    let pace = Pace::new(Arc::clone(&tally), work.window as u64);

    let stopwatch = Stopwatch::start(&tally);
    tokio::spawn(publish(work, broker.publisher(), pace)).await??;
    let lap = stopwatch.finish(events).await;
    service.shutdown().await?;
    Ok(lap)
}

async fn publish(work: Arc<Workload>, publisher: MemoryPublisher, mut pace: Pace) -> Result<(), Failure> {
    for (number, order) in work.orders() {
        pace.before(number).await;
        publisher.message(order).to(CHANNEL).publish().await?;
    }
    Ok(())
}

async fn publish_keyed(
    work: Arc<Workload>,
    publisher: MemoryPublisher,
    mut pace: Pace,
) -> Result<(), Failure> {
    for (number, order) in work.orders() {
        pace.before(number).await;
        let mut headers = HeaderMap::with_capacity(1);
        headers.insert(Str::from_static(PARTITION_KEY_HEADER), order.order_id.clone());
        publisher.message(order).with_headers(headers).to(CHANNEL).publish().await?;
    }
    Ok(())
}
