//! The memory transport, which says what it has stored.

use std::time::Duration;

use async_trait::async_trait;
use jitney::admin::Admin;
use jitney::memory::Memory;
use jitney::message::Outbound;
use jitney::transport::{Published, Subscribed, Subscription, Transport};
use jitney::{Capabilities, Error};

use super::function::say;

#[derive(Debug)]
pub(crate) struct Told {
    memory: Memory,
    /// Whether it has a place for dead letters of deliveries that are not its own.
    stores: bool,
}

impl Told {
    pub(crate) fn new(memory: Memory, stores: bool) -> Self {
        Told { memory, stores }
    }
}

#[async_trait]
impl Transport for Told {
    fn capabilities(&self) -> &Capabilities {
        self.memory.capabilities()
    }

    fn describe(&self) -> String {
        self.memory.describe()
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        let stored: Vec<_> = batch.iter().map(|outbound| outbound.message.clone()).collect();
        let published = self.memory.publish(batch).await;
        for message in stored {
            say(format!("published {}", message.header_str("event-type").unwrap_or_default()));
        }
        published
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error> {
        self.memory.subscribe(subscription).await
    }

    fn admin(&self) -> Option<&dyn Admin> {
        self.stores.then_some(&self.memory)
    }

    async fn close(&self, limit: Duration) -> Result<(), Error> {
        self.memory.close(limit).await
    }
}
