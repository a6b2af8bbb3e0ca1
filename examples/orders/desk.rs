//! The order desk: sends commands, in batches, each until the bus has it.

use std::collections::HashSet;
use std::time::Duration;

use jitney::Id;
use jitney::prelude::*;

use super::events::PlaceOrder;
use super::wait::Watch;

/// How many commands are published at once.
const BATCH: usize = 64;
/// How often a command is published before the bus is given up, and the pause between.
const ATTEMPTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Sends commands and does nothing else.
pub struct Desk<'a> {
    watch: Watch<'a>,
    batch: Vec<PlaceOrder>,
    placed: HashSet<String>,
    sent: usize,
}

impl<'a> Desk<'a> {
    pub fn new(watch: Watch<'a>) -> Self {
        Desk { watch, batch: Vec::with_capacity(BATCH), placed: HashSet::new(), sent: 0 }
    }

    /// How many commands there were so far.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Sends `order`, or keeps it until there are more.
    ///
    /// A second command for an order waits until the first one has created it: not every bus keeps order, and which of
    /// the two is refused must not be a matter of luck.
    ///
    /// # Errors
    ///
    /// When the bus does not take it.
    pub async fn place(&mut self, order: PlaceOrder) -> jitney::Result<()> {
        if !self.placed.insert(order.order_id.clone()) {
            self.flush().await?;
            let summary = self.watch.summary();
            // Where nothing creates the order, the end of the run will say so.
            self.watch.until(|_| summary.is_created(&order.order_id)).await?;
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
        match bus.publish_all(&batch).await {
            Err(error) if error.is_retryable() => {
                for (index, _) in error.failed() {
                    again(bus, &error.ids()[*index], &batch[*index]).await?;
                }
                Ok(())
            }
            result => Ok(result.map(drop)?),
        }
    }
}

/// Publishes `order` until the bus has it, always under the same id, since the bus may have it already.
async fn again(bus: &Bus, id: &Id, order: &PlaceOrder) -> jitney::Result<()> {
    let mut attempts = 1;
    loop {
        match bus.publisher().publish_as(id.clone(), order).await {
            Err(error) if error.is_retryable() && attempts < ATTEMPTS => attempts += 1,
            result => return result.map(drop),
        }
        bus.env().sleep(PAUSE).await;
    }
}
