//! Notifications: a slow gateway, in a group of its own, so that nothing else waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jitney::prelude::*;

use crate::events::OrderProgress;

/// What the gateway takes for one message.
const SLOW: Duration = Duration::from_millis(5);

/// How many messages were sent.
#[derive(Debug, Clone, Default)]
pub struct Notified(Arc<AtomicU64>);

impl Notified {
    /// How many messages were sent.
    pub fn sent(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[handler(group = "notification", concurrency = 64, idempotent)]
pub async fn notify_customer(_: OrderProgress, bus: Bus, State(notified): State<Notified>) {
    bus.env().sleep(SLOW).await;
    notified.0.fetch_add(1, Ordering::Relaxed);
}
