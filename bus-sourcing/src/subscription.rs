//! Following a store: everything behind a position, and then what comes.

use std::sync::Arc;
use std::time::Duration;

use jitney_core::Env;

use crate::{Error, EventStore, Filter, IntoEventStore, Page, Position, StoredEvent};

/// How long a reader pauses that was woken for nothing twice.
const EARLY: Duration = Duration::from_millis(5);

/// A reader that follows a store, made by [`Subscription::new`].
///
/// ```
/// # use jitney_sourcing::{Filter, MemoryStore, Position, Subscription};
/// # async fn example(store: MemoryStore) -> Result<(), jitney_sourcing::Error> {
/// let mut events = Subscription::new(store, Position::START, Filter::all().aggregate_types(["Order"]));
/// loop {
///     for event in events.next().await? {
///         println!("{} {}", event.stream(), event.head().event_type);
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Subscription {
    store: Arc<dyn EventStore>,
    env: Env,
    filter: Filter,
    position: Position,
    at_end: bool,
    /// Waits in a row behind which there was nothing to read.
    in_vain: u32,
    batch: usize,
    poll: Duration,
}

impl Subscription {
    /// Everything of `store` behind `after` that `filter` is for.
    pub fn new(store: impl IntoEventStore, after: Position, filter: Filter) -> Self {
        let (store, env) = (store.into_event_store(), Env::system());
        let (batch, poll) = (1_000, Duration::from_secs(1));
        Subscription { store, env, filter, position: after, at_end: false, in_vain: 0, batch, poll }
    }

    /// Waits by the clock of `env`.
    #[must_use]
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Gives up to so many events at once; 1,000 unless told.
    #[must_use]
    pub fn batch(mut self, events: usize) -> Self {
        self.batch = events.max(1);
        self
    }

    /// Looks at the store at least this often, whatever it says about news; once a second unless told.
    #[must_use]
    pub fn poll_every(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    /// The next events, in the order of the store: one at least. Waits for them where there are none.
    ///
    /// # Errors
    ///
    /// When the store does not answer. The next call reads on from the same place.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Vec<StoredEvent>, Error> {
        loop {
            let events = self.try_next().await?;
            if !events.is_empty() {
                self.in_vain = 0;
                return Ok(events);
            }
            if self.at_end {
                // A store that returns early time and again is not to be asked time and again.
                let pause = EARLY * 2_u32.saturating_pow(self.in_vain.saturating_sub(2).min(10));
                if self.in_vain > 1 {
                    self.env.sleep(pause.min(self.poll)).await;
                }
                self.in_vain = self.in_vain.saturating_add(1);
                self.store.wait(&self.position, self.poll).await?;
            }
        }
    }

    /// The next events; none where there are none for the filter in the next part of the store.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn try_next(&mut self) -> Result<Vec<StoredEvent>, Error> {
        let page = self.store.read_all(&self.position, &self.filter, self.batch).await?;
        let Page { events, position, at_end } = page;
        (self.position, self.at_end) = (position, at_end);
        Ok(events)
    }

    /// Everything up to here was given out, or is not for the filter.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Whether the last read has come to the end of what could be read.
    pub fn is_at_end(&self) -> bool {
        self.at_end
    }
}
