//! A server that one test has to itself, and leaves as it found it.

use std::ops::Deref;
use std::time::Duration;

use crate::error::Error;
use crate::kafka::cluster::Cluster;
use crate::managed::Heal;
use crate::place::{Lock, Place};
use crate::server::Server;

const HEALING: Duration = Duration::from_secs(300);

/// A server that no other test kills, freezes or otherwise hurts; when it is dropped, also by a panic, it is healed, and
/// the next test goes on when all of it serves.
#[derive(Debug)]
pub struct Exclusive<T: Heal = Cluster> {
    server: T,
    _lock: Lock,
}

impl<T: Heal> Exclusive<T> {
    /// Waits until no other test has the server that is called `name`, and then has it.
    pub(crate) fn wait(server: T, place: &Place, name: Server) -> Result<Self, Error> {
        let lock = place.lock(&format!("{name}-faults"))?;
        Ok(Self { server, _lock: lock })
    }
}

impl<T: Heal> Deref for Exclusive<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.server
    }
}

impl<T: Heal> Drop for Exclusive<T> {
    fn drop(&mut self) {
        if let Err(error) = self.server.heal(HEALING) {
            eprintln!("the server could not be healed after a test: {error}");
        }
    }
}
