//! What the author of an event store gives to the suite.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Env;
use jitney_core::personal::Sealer;
use jitney_sourcing::{Error, ErrorKind, EventStore};

/// A store under test: opens handles that all reach the same events.
#[async_trait]
pub trait StoreFixture: Send + Sync {
    /// Opens the store once more, as another process would. Handles are dropped when a check is done with them; that must
    /// not end the others.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened; the check then fails.
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error>;

    /// Whether the store can be given what seals personal data: [`sealed_store`](Self::sealed_store) opens it so.
    fn seals(&self) -> bool {
        false
    }

    /// Opens the store as [`store`](Self::store) does, with `sealer` for its personal data.
    ///
    /// # Errors
    ///
    /// When the store cannot be opened; the check then fails.
    async fn sealed_store(&self, sealer: Arc<dyn Sealer>) -> Result<Arc<dyn EventStore>, Error> {
        drop(sealer);
        Err(Error::new(ErrorKind::Unsupported, "opening a store that seals: the fixture does not say how"))
    }

    /// Makes what the store needs before it can keep streams of these aggregate types, such as topics. It is called before
    /// the store is opened for a check, with the types of that check.
    ///
    /// # Errors
    ///
    /// When that cannot be made; the check then fails.
    async fn prepare(&self, aggregate_types: &[&str]) -> Result<(), Error> {
        let _ = aggregate_types;
        Ok(())
    }

    /// What the names of aggregate types begin with. They must be new in every run, where the store keeps them: the
    /// default ends with a random number.
    fn prefix(&self) -> String {
        format!("Suite{:08x}", Env::system().random() >> 32)
    }

    /// What random content and random choices come from.
    fn seed(&self) -> u64 {
        1
    }

    /// The bound on every wait for something that must come.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    /// Whether aggregate types may be any text of up to 512 bytes, or only what is plain.
    fn takes_any_aggregate_type(&self) -> bool {
        true
    }

    /// A program that opens the store and does [`write_until_killed`](super::write_until_killed), for the suite to kill: of a
    /// test program best itself, running one ignored test alone.
    ///
    /// ```
    /// # use std::process::Command;
    /// # fn writer() -> Option<Command> {
    /// let mut writer = Command::new(std::env::current_exe().ok()?);
    /// writer.args(["--exact", "writer_to_be_killed", "--ignored", "--nocapture"]).env("STORE", "events.db");
    /// Some(writer)
    /// # }
    /// ```
    fn writer(&self) -> Option<Command> {
        None
    }

    /// The password in the URL that the store was opened with, which must not show up anywhere.
    fn secret(&self) -> Option<&str> {
        None
    }

    /// Whether [`disturb`](Self::disturb) can do this to the server.
    fn can_disturb(&self, disturbance: Disturbance) -> bool {
        let _ = disturbance;
        false
    }

    /// Disturbs the server, and returns once it is back. Handles that were opened before may or may not work again.
    ///
    /// # Errors
    ///
    /// When the server does not come back.
    async fn disturb(&self, disturbance: Disturbance) -> Result<(), Error> {
        let _ = disturbance;
        Ok(())
    }
}

/// What can be done to a server while it is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disturbance {
    /// It is stopped in its own way, and started again.
    Restart,
    /// It is killed (SIGKILL), and started again with the data that it has.
    Kill,
}
