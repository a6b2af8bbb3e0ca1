//! The equal-work floor: the work an event bus with an envelope cannot do without, and no bus.
//!
//! Publishing builds the envelope and writes envelope and payload in one pass into a buffer of the
//! right size, with the two headers beside it. A bounded channel carries the message. The receiver
//! reads the envelope with its strings borrowed, the payload out of it into its type, and awaits
//! the handler. No registry, no routing, no middleware, no settlement, no retries.

use std::hint::black_box;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::body::{EVENT_TYPE, OrderCreated};
use crate::contestant::{Contestant, Failure, Lap, Stopwatch, Workload};
use crate::envelope::{Borrowed, Envelope, Envelopes};
use crate::tally::Tally;

pub const CONTESTANT: Contestant = Contestant {
    name: "floor",
    equal_work: "floor",
    does: "build and write the envelope with the payload in one pass, two headers, a bounded channel, \
           read the envelope borrowed, read the payload, await the handler",
    run: |work| Box::pin(run(work)),
};

/// The room a message is given from the start: the largest fits, so no buffer grows.
const ROOM: usize = 1_024;

/// A message as a broker would be given it.
struct Message {
    headers: Vec<(&'static str, HeaderValue)>,
    body: Vec<u8>,
}

/// A header's value: known when the program was built, or made for this message.
enum HeaderValue {
    Fixed(&'static str),
    Made(String),
}

async fn run(work: Arc<Workload>) -> Result<Lap, Failure> {
    let tally = Tally::shared();
    let (queue, queued) = mpsc::channel(work.window);
    let events = work.events;
    let receiver = tokio::spawn(receive(queued, Arc::clone(&tally)));

    let stopwatch = Stopwatch::start(&tally);
    if let Err(closed) = tokio::spawn(publish(work, queue)).await? {
        // The channel closed early: the reason is the receiver's, if it has one.
        receiver.await??;
        return Err(closed);
    }
    let lap = stopwatch.finish(events).await;
    receiver.await??;
    Ok(lap)
}

async fn publish(work: Arc<Workload>, queue: mpsc::Sender<Message>) -> Result<(), Failure> {
    let mut envelopes = Envelopes::seeded(1);
    for (_, order) in work.orders() {
        let message = Message::of(&envelopes.wrap(order))?;
        if queue.send(message).await.is_err() {
            return Err("the receiver is gone".into());
        }
    }
    Ok(())
}

impl Message {
    fn of(envelope: &Envelope<'_>) -> Result<Self, Failure> {
        let mut body = Vec::with_capacity(ROOM);
        serde_json::to_writer(&mut body, envelope)?;
        let correlation = envelope.metadata.correlation_id.to_string();
        let headers = vec![
            ("event-type", HeaderValue::Fixed(envelope.event_type)),
            ("correlation-id", HeaderValue::Made(correlation)),
        ];
        Ok(Self { headers, body })
    }

    /// The type the headers name, which a bus routes by.
    fn event_type(&self) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(name, _)| *name == "event-type")?;
        match value {
            HeaderValue::Fixed(text) => Some(text),
            HeaderValue::Made(text) => Some(text),
        }
    }
}

async fn receive(mut queued: mpsc::Receiver<Message>, tally: Arc<Tally>) -> Result<(), Failure> {
    while let Some(message) = queued.recv().await {
        let named = message.event_type();
        let envelope: Borrowed<'_> = serde_json::from_slice(&message.body)?;
        if named != Some(EVENT_TYPE) || envelope.event_type != EVENT_TYPE {
            return Err(format!("no handler takes '{}'", envelope.event_type).into());
        }
        let order: OrderCreated = serde_json::from_str(envelope.payload.get())?;
        handle(&order, &envelope, &tally).await;
    }
    Ok(())
}

/// The handler, with the event and what the envelope says of it.
async fn handle(order: &OrderCreated, envelope: &Borrowed<'_>, tally: &Tally) {
    black_box(envelope);
    tally.handle(order);
}
