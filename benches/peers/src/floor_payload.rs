//! The floor without an envelope: the payload alone is written, carried and read.
//!
//! This is the equal-work floor of a library that carries a body and adds nothing to it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::body::OrderCreated;
use crate::contestant::{Contestant, Failure, Lap, Stopwatch, Workload};
use crate::tally::Tally;

pub const CONTESTANT: Contestant = Contestant {
    name: "floor-payload",
    equal_work: "floor-payload",
    does: "write the payload, no envelope, no headers, a bounded channel, read the payload, await the \
           handler",
    run: |work| Box::pin(run(work)),
};

/// The room a body is given from the start: the largest fits, so no buffer grows.
const ROOM: usize = 640;

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

async fn publish(work: Arc<Workload>, queue: mpsc::Sender<Vec<u8>>) -> Result<(), Failure> {
    for (_, order) in work.orders() {
        let mut body = Vec::with_capacity(ROOM);
        serde_json::to_writer(&mut body, order)?;
        if queue.send(body).await.is_err() {
            return Err("the receiver is gone".into());
        }
    }
    Ok(())
}

async fn receive(mut queued: mpsc::Receiver<Vec<u8>>, tally: Arc<Tally>) -> Result<(), Failure> {
    while let Some(body) = queued.recv().await {
        let order: OrderCreated = serde_json::from_slice(&body)?;
        handle(&order, &tally).await;
    }
    Ok(())
}

async fn handle(order: &OrderCreated, tally: &Tally) {
    tally.handle(order);
}
