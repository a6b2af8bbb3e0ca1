//! The outbox: events are stored in the transaction of what they are about, and published from there.
//!
//! A service that changes a table and publishes an event about it can crash in between: the change is there and nobody was
//! told, or others were told of a change that was rolled back. With an outbox both are one transaction of the service's
//! database, and a [`Relay`] publishes what was committed: at least once, in order per key, to any bus.
//!
//! This module has what all outboxes have in common. The tables are those of `jitney-sql`; [`MemoryOutbox`] is for tests.
//!
//! ```
//! use jitney_core::outbox::{MemoryOutbox, OutboxEvent, Relay};
//! # use jitney_core::{Bus, Env, Keyed};
//! # async fn example<E: Keyed>(event: E, bus: Bus) -> Result<(), jitney_core::Error> {
//! let outbox = MemoryOutbox::new();
//! outbox.add(OutboxEvent::new(&Env::system(), &event)?);
//! let relayed = Relay::new(outbox, &bus).drain().await?;
//! assert_eq!(relayed.published, 1);
//! # Ok(()) }
//! ```

mod event;
mod memory;
mod relay;
mod round;
mod running;
mod store;

pub use event::OutboxEvent;
pub use memory::MemoryOutbox;
pub use relay::Relay;
pub use round::Relayed;
pub use running::RunningRelay;
pub use store::{Backlog, OutboxStore, ParkedEvent, PendingEvent, SHARDS, Shard, Share};
