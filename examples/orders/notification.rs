//! Notifications: a slow gateway, in a group of its own, so that nothing else waits for it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney::prelude::*;
use jitney::{Env, Id};

use super::events::OrderProgress;

/// What the gateway takes for one message.
const SLOW: Duration = Duration::from_millis(5);

/// A gateway for mails, simulated. Like a real one it is slow, and sends a message once however often it is asked to.
#[derive(Debug, Clone, Default)]
pub struct Gateway(Arc<Mutex<HashSet<Id>>>);

impl Gateway {
    async fn send(&self, env: &Env, message: &Id) {
        env.sleep(SLOW).await;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(message.clone());
    }

    /// How many messages were sent.
    pub fn sent(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[handler(group = "notification", concurrency = 64, idempotent)]
pub async fn notify_customer(news: Envelope<OrderProgress>, bus: Bus, State(gateway): State<Gateway>) {
    gateway.send(bus.env(), news.event_id()).await;
}
