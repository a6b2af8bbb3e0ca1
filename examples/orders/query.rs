//! Questions to the past, which the events of a store answer without anything being built for them: what happened to an
//! order, and how things stood at a time.

use std::collections::HashSet;
use std::io::Write;

use jiff::Timestamp;
use jitney::prelude::*;
use jitney::sourcing::{AsOf, EventStore, ReadStream, StreamId};
use jitney::{Error, error_chain};

use super::app::{Views, onlookers};
use super::order::{Order, OrderEvent};
use super::past::{Past, as_published};
use super::report::Report;
use super::store::Store;
use super::wait::Watch;

/// So many events are read at once.
const PAGE: usize = 1_000;

/// Prints the stream of an order, and below each event the state that it has led to.
///
/// # Errors
///
/// When there is no such order, the store does not answer, an event cannot be read, or nothing can be printed.
pub async fn replay(store: &Store, order_id: &str, out: &mut impl Write) -> Result<(), String> {
    let stream = StreamId::new(OrderEvent::TYPES[0].aggregate(), order_id);
    let (mut order, mut sequence) = (Order::default(), 0);
    loop {
        let read = ReadStream::forward().from(sequence + 1).limit(PAGE);
        let events = store.events.read_stream(&stream, read).await.map_err(|error| error_chain(&error))?;
        let stream_ends = events.len() < PAGE;
        for event in events {
            order.evolve(&event.decode().map_err(|error| error_chain(&error))?);
            sequence = event.sequence();
            let head = event.head();
            let name = format!("{} {}", head.event_type, head.version);
            writeln!(out, "{sequence:>4}  {:.3}  {name}\n      {order}", head.time)
                .map_err(|error| format!("writing the events: {error}"))?;
        }
        if stream_ends {
            return known(store, order_id, sequence);
        }
    }
}

/// Prints the state that an order had at `time`.
///
/// # Errors
///
/// When there was no such order at that time, the store does not answer, an event cannot be read, or nothing can be printed.
pub async fn order_as_of(
    store: &Store,
    order_id: &str,
    time: Timestamp,
    out: &mut impl Write,
) -> Result<(), String> {
    let orders = Repository::<Order>::new(store.events.clone());
    let order = orders.load_as_of(order_id, AsOf::Time(time)).await.map_err(|error| error_chain(&error))?;
    known(store, order_id, order.sequence()).map_err(|error| format!("{error} at {time}"))?;
    let (sequence, state) = (order.sequence(), order.state());
    writeln!(out, "{sequence:>4}  {state}").map_err(|error| format!("writing the order: {error}"))
}

/// Says so where an order has no events.
fn known(store: &Store, order_id: &str, sequence: u64) -> Result<(), String> {
    match sequence {
        0 => Err(format!("there is no order `{order_id}` in {}", store.events.describe())),
        _ => Ok(()),
    }
}

/// Has the `views` built from what had been recorded by `time`, and answers the figures: by the handlers that build them in a
/// run too, on a bus that is nobody else's.
///
/// # Errors
///
/// When the store does not answer.
pub async fn as_of(bus: Bus, store: &Store, time: Timestamp, views: &Views) -> Result<Report, String> {
    let running = onlookers(bus, views).spawn().await.map_err(|error| error_chain(&error))?;
    let published = publish_until(Watch::new(&running, &views.summary), &*store.events, time).await;
    let report = Report::new(views, &running.stats());
    let stopped = running.shutdown().await;
    published.and(stopped).map_err(|error| error_chain(&error))?;
    Ok(report)
}

/// Publishes of each stream what comes before its first event that was recorded later than `time`.
async fn publish_until(watch: Watch<'_>, store: &dyn EventStore, time: Timestamp) -> Result<(), Error> {
    let mut past = Past::of(store).await?;
    let mut passed = HashSet::new();
    while let Some(events) = past.next().await? {
        for event in &events {
            if event.head().time > time {
                passed.insert(event.stream());
            } else if passed.is_empty() || !passed.contains(&event.stream()) {
                watch.bus().republish(&as_published(event)).await?;
            }
        }
        watch.quiet().await?;
    }
    Ok(())
}
