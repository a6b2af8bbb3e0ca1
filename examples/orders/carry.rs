//! What carries the events of a store to the bus: a relay from the store's outbox; or, where it has none, whoever reads the
//! store on and on.

use std::sync::Arc;
use std::time::Duration;

use jitney::outbox::{OutboxStore, Relay, RunningRelay};
use jitney::prelude::*;
use jitney::sourcing::{EventStore, Filter, Position, Subscription};
use jitney::{Env, Error, ErrorKind};
use tokio::sync::watch;

use super::order::OrderEvent;
use super::past::as_published;
use super::wait::TICK;

/// When a process was killed, the next one publishes what is in its outbox within this time.
pub const LEASE: Duration = Duration::from_secs(2);

/// How the events of a store come to a bus.
#[derive(Clone)]
pub enum Way {
    /// What is appended is in the outbox too, in one transaction.
    Outbox { outbox: Arc<dyn OutboxStore>, relay: Arc<dyn Fn(&Bus) -> Relay + Send + Sync> },
    /// The store is read.
    Read,
}

impl Way {
    pub fn through(outbox: impl OutboxStore + Clone) -> Self {
        let to_be_published = outbox.clone();
        let relay = move |bus: &Bus| Relay::new(to_be_published.clone(), bus);
        Way::Outbox { outbox: Arc::new(outbox), relay: Arc::new(relay) }
    }

    /// Begins to carry what is new in `store` to `bus`.
    ///
    /// # Errors
    ///
    /// When the store does not say where it ends.
    pub async fn start(
        &self,
        store: &Arc<dyn EventStore>,
        bus: &Bus,
        lease: Duration,
    ) -> jitney::Result<Carrier> {
        match self {
            Way::Outbox { outbox, relay } => {
                Ok(Carrier::Relay { outbox: Arc::clone(outbox), relay: relay(bus).lease(lease).spawn() })
            }
            Way::Read => {
                let from = store.end().await?;
                let (told, reached) = watch::channel(from.clone());
                bus.env().spawn(read(Arc::clone(store), from, bus.clone(), told));
                Ok(Carrier::Reader { store: Arc::clone(store), reached })
            }
        }
    }
}

/// At work until it is shut down or dropped.
pub enum Carrier {
    Relay { outbox: Arc<dyn OutboxStore>, relay: RunningRelay },
    Reader { store: Arc<dyn EventStore>, reached: watch::Receiver<Position> },
}

impl Carrier {
    /// Whether events are in the store that are not on the bus yet.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or nobody carries its events any more.
    pub async fn is_behind(&self) -> jitney::Result<bool> {
        match self {
            Carrier::Relay { outbox, .. } => Ok(outbox.backlog().await?.pending > 0),
            Carrier::Reader { store, reached } => {
                if reached.has_changed().is_err() {
                    let what = "waiting for events to come to the bus: what reads the store has ended";
                    return Err(Error::new(ErrorKind::Closed, what));
                }
                let end = store.end().await?;
                Ok(!reached.borrow().has_reached(&end))
            }
        }
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// When what it holds could not be given up.
    pub async fn shutdown(self) -> jitney::Result<()> {
        match self {
            Carrier::Relay { relay, .. } => relay.shutdown().await,
            // What was not published is published by the next run, as everything is.
            Carrier::Reader { .. } => Ok(()),
        }
    }
}

/// Publishes what comes behind `from`, in the order of each stream: what is not acknowledged is published again before
/// what is behind it. Ends when nobody listens any more.
async fn read(store: Arc<dyn EventStore>, from: Position, bus: Bus, told: watch::Sender<Position>) {
    let env: &Env = bus.env();
    let mut events = Subscription::new(Arc::clone(&store), from, Filter::of::<OrderEvent>());
    loop {
        let read = tokio::select! {
            () = told.closed() => return,
            read = events.try_next() => read,
        };
        let read = match read {
            Ok(read) => read,
            Err(error) if error.is_retryable() => {
                env.sleep(TICK).await;
                continue;
            }
            Err(error) => return tracing::error!(%error, "events do not come to the bus any more"),
        };
        for event in read.iter().map(as_published) {
            while let Err(error) = bus.republish(&event).await {
                if !error.is_retryable() {
                    return tracing::error!(%error, "an event does not come to the bus, nor do those behind it");
                }
                env.sleep(TICK).await;
            }
        }
        // There may be nothing to publish in front of it.
        told.send_replace(events.position().clone());
        if events.is_at_end() {
            tokio::select! {
                () = told.closed() => return,
                // What comes of it is seen by the next read.
                _ = store.wait(events.position(), TICK) => {}
            }
        }
    }
}
