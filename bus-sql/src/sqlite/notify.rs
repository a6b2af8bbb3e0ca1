//! Waiting for events: those of this process are told at once, those of others are looked for.

use std::time::Duration;

use jitney_core::Env;
use jitney_sourcing::{Error, ErrorKind};
use tokio::sync::{Mutex, Notify, watch};

use super::{SqliteStore, read};

/// The newest event that is known of.
#[derive(Debug)]
pub(super) struct News {
    newest: watch::Sender<u64>,
    /// Held by the one waiter that looks at the database for all of them.
    turn: Mutex<()>,
    /// Asks that one to look now.
    look: Notify,
    poll: Duration,
    env: Env,
}

impl News {
    pub(super) fn new(poll: Duration, env: Env) -> Self {
        News { newest: watch::Sender::new(0), turn: Mutex::new(()), look: Notify::new(), poll, env }
    }

    /// The event at `position` is stored. What is known never goes back.
    pub(super) fn tell(&self, position: u64) {
        self.newest.send_if_modified(|known| position > std::mem::replace(known, position.max(*known)));
    }

    /// There may be events behind the newest one that is known of.
    pub(super) fn look_now(&self) {
        self.look.notify_one();
    }

    /// Waits for an event behind `after`.
    pub(super) async fn wait(&self, store: &SqliteStore, after: u64, at_most: Duration) -> Result<(), Error> {
        let mut newest = self.newest.subscribe();
        let news = async {
            tokio::select! {
                biased;
                // The sender lives as long as the store.
                _ = newest.wait_for(|newest| *newest > after) => Ok(()),
                closed = self.look_on(store) => Err(closed),
            }
        };
        // The time limit is what the caller asked for.
        self.env.timeout(at_most, news).await.unwrap_or(Ok(()))
    }

    /// Looks for news until the store is closed.
    async fn look_on(&self, store: &SqliteStore) -> Error {
        let _turn = self.turn.lock().await;
        loop {
            let newest = async { read::newest(store, &mut *store.reader().await?).await };
            match newest.await {
                Ok(position) => self.tell(position),
                Err(error) if error.kind() == ErrorKind::Closed => return error,
                // It is a hint: the reader that waits will be told by its own read.
                Err(error) => tracing::debug!(%error, "looking for new events"),
            }
            tokio::select! {
                () = self.env.sleep(self.poll) => {}
                () = self.look.notified() => {}
            }
        }
    }
}
