//! The order desk: sends commands, in batches, and does not give up before the bus has each.

use std::collections::HashSet;
use std::time::Duration;

use jitney::prelude::*;

use super::events::PlaceOrder;
use super::wait::Watch;

/// How many commands are published at once.
const BATCH: usize = 64;
/// How often one is published before the bus is given up, and the pause between.
const ATTEMPTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Sends commands, and what happened before them.
pub struct Desk<'a> {
    watch: Watch<'a>,
    publisher: Publisher,
    batch: Vec<PlaceOrder>,
    placed: HashSet<String>,
    sent: usize,
}

impl<'a> Desk<'a> {
    pub fn new(watch: Watch<'a>, publisher: Publisher) -> Self {
        Desk { watch, publisher, batch: Vec::with_capacity(BATCH), placed: HashSet::new(), sent: 0 }
    }

    /// How many commands there were so far.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Sends what happened in the past, and waits until everybody knows of it: so that a command for an order of the past
    /// is refused, however slow the services are.
    ///
    /// # Errors
    ///
    /// When the bus does not take it.
    pub async fn recall(&self, history: &[RawEvent]) -> jitney::Result<()> {
        let bus = self.watch.bus();
        for event in history {
            insist(bus, async || bus.republish(event).await).await?;
        }
        self.watch.quiet().await.map(drop)
    }

    /// Sends `order`, or keeps it until there are more.
    ///
    /// On a bus that keeps no order, a second command for an order waits until the first one has created it: which of the
    /// two is refused must not be a matter of luck.
    ///
    /// # Errors
    ///
    /// When the bus does not take it.
    pub async fn place(&mut self, order: PlaceOrder) -> jitney::Result<()> {
        if !self.placed.insert(order.order_id.clone()) {
            self.flush().await?;
            if !self.watch.bus().capabilities().ordered {
                let summary = self.watch.summary();
                // Where nothing creates the order, the end of the run will say so.
                self.watch.until(|_| summary.is_created(&order.order_id)).await?;
            }
        }
        self.sent += 1;
        self.batch.push(order);
        if self.batch.len() < BATCH { Ok(()) } else { self.flush().await }
    }

    /// Sends what is kept.
    ///
    /// # Errors
    ///
    /// When the bus does not take it.
    pub async fn flush(&mut self) -> jitney::Result<()> {
        let (bus, batch) = (self.watch.bus(), std::mem::take(&mut self.batch));
        match self.publisher.publish_all(&batch).await {
            Err(error) if error.is_retryable() => {
                for (index, _) in error.failed() {
                    let (id, order) = (&error.ids()[*index], &batch[*index]);
                    insist(bus, async || self.publisher.publish_as(id.clone(), order).await).await?;
                }
                Ok(())
            }
            result => Ok(result.map(drop)?),
        }
    }
}

/// Publishes again and again until the bus has it; always under one id, since the bus may have it already.
async fn insist<T>(bus: &Bus, publish: impl AsyncFn() -> jitney::Result<T>) -> jitney::Result<T> {
    let mut attempts = 1;
    loop {
        match publish().await {
            Err(error) if error.is_retryable() && attempts < ATTEMPTS => attempts += 1,
            result => return result,
        }
        bus.env().sleep(PAUSE).await;
    }
}
