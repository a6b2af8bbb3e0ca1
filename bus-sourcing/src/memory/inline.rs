//! Projections that the appends of a store in memory keep up: in one step with the events, or not at all.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::OwnedMutexGuard;

use super::log::Log;
use crate::{Error, ErrorKind, Filter, Page, Position, StoredEvent};

/// Which build of which projection of which read model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) build: u64,
    /// No two that are there have the same one.
    pub(crate) model: usize,
}

/// Puts what follows from the events of an append where readers see it.
pub(crate) type Applied = Box<dyn FnOnce() + Send>;

/// A projection that appends keep up.
#[async_trait]
pub(crate) trait KeepUp: Send + Sync {
    fn key(&self) -> Key;

    /// Applies those of `events` that it is for, beside what readers see; nothing where it is for none.
    async fn apply(&self, events: &[StoredEvent]) -> Result<Option<Applied>, Error>;

    /// Tells the projection of `events` when they are stored.
    async fn tell(&self, events: &[StoredEvent]);
}

/// What is inline in a store, whichever clone of it keeps it up.
pub(super) struct Registered {
    key: Key,
    /// A rebuild may have let it go.
    is_inline: Box<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The appends of a store, for read models that they keep up. Clones are of the same store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Appends {
    pub(super) log: Arc<Mutex<Log>>,
    /// Whoever has it may append, where something is inline.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

/// While it is there, nobody appends.
pub(crate) struct HeldUp {
    appends: Appends,
    _turn: OwnedMutexGuard<()>,
}

impl Appends {
    /// Waits for whoever appends, and has everybody wait who would.
    pub(crate) async fn hold_up(&self) -> HeldUp {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        self.log().is_held_up = true;
        HeldUp { appends: self.clone(), _turn: turn }
    }

    /// Where the store ends.
    pub(crate) fn end(&self) -> Position {
        Position::at([self.log().len()])
    }

    pub(crate) fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        self.log().read_all(after, filter, limit)
    }

    /// From now on, only stores that keep `key` up append, for as long as `is_inline`.
    pub(crate) fn register(&self, key: Key, is_inline: Box<dyn Fn() -> bool + Send + Sync>) {
        self.log().inline.push(Registered { key, is_inline });
    }

    /// Refuses an append of a store that keeps `ours` up, where that is not what is inline.
    pub(super) fn check(&self, ours: &[Arc<dyn KeepUp>]) -> Result<(), Error> {
        let mut known: Vec<_> = {
            let mut log = self.log();
            log.inline.retain(|one| (one.is_inline)());
            log.inline.iter().map(|one| one.key.clone()).collect()
        };
        let mut ours: Vec<_> = ours.iter().map(|one| one.key()).collect();
        known.sort_unstable();
        ours.sort_unstable();
        if known == ours {
            return Ok(());
        }
        let shown = |keys: &[Key]| match keys {
            [] => "none".to_owned(),
            keys => {
                let keys: Vec<_> =
                    keys.iter().map(|Key { name, build, .. }| format!("`{name}/{build}`")).collect();
                keys.join(" ")
            }
        };
        let what = format!(
            "appending in memory: the projections that are inline in the store (name and build) are {}, and this clone of it keeps up {}, \
             so nothing is stored; make the store anew with all of them, by `inline`",
            shown(&known),
            shown(&ours),
        );
        Err(Error::new(ErrorKind::Config, what))
    }

    // A log is never left half changed: what can panic comes before the first change.
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        self.appends.log().is_held_up = false;
    }
}
