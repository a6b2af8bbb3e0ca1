//! What the author of a backend gives to the suite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::transport::Transport;
use jitney_core::{Capabilities, Env, Error};

use crate::history::Expectations;

/// A backend under test: opens transports that all reach the same broker.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A new connection to the one broker. Closing it must not end the others.
    ///
    /// # Errors
    ///
    /// When the broker cannot be reached; the check then fails.
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error>;

    /// Clock and randomness: those that the transports use.
    fn env(&self) -> Env {
        Env::system()
    }

    /// What the random content of events and the random choices of checks come from.
    fn seed(&self) -> u64 {
        1
    }

    /// What the names of topics and groups begin with. They must be new in every run, where the broker keeps
    /// them: the default ends with a random number.
    fn prefix(&self) -> String {
        format!("conformance-{:08x}", self.env().random() >> 32)
    }

    /// The bound on every wait for something that must come.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    /// How long nothing may come before it is believed that nothing will.
    fn quiet(&self) -> Duration {
        Duration::from_millis(500)
    }

    /// What must hold of every history; the default is what the capabilities promise.
    fn expectations(&self, capabilities: &Capabilities) -> Expectations {
        Expectations::of(capabilities)
    }

    /// The password in the URL that the transports were opened with, which must not show up anywhere.
    fn secret(&self) -> Option<&str> {
        None
    }

    /// Whether bodies, keys and header values may be any bytes. Where not, all messages are made by the
    /// transport's codec and the checks of other bytes are skipped.
    fn carries_any_bytes(&self) -> bool {
        true
    }

    /// Whether [`restart`](Self::restart) restarts the broker.
    fn can_restart(&self) -> bool {
        false
    }

    /// Stops the broker without warning, starts it again, and returns once it is back.
    ///
    /// # Errors
    ///
    /// When the broker does not come back.
    async fn restart(&self) -> Result<(), Error> {
        Ok(())
    }
}
