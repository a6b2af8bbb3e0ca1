//! The reader, and what is held against what it read.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use jitney::sourcing::{Error, EventStore, Filter, Position, StoredEvent};
use jitney::sql::PostgresStore;
use jitney_core::Id;

use super::load::Written;

/// How long the reader waits for news.
const POLL: Duration = Duration::from_millis(100);

/// Follows all events until it has reached `end`, which is known only when the writers are done.
pub async fn follow(
    store: PostgresStore,
    batch: usize,
    mut end: tokio::sync::watch::Receiver<Option<Position>>,
) -> Result<Vec<StoredEvent>, Error> {
    let (mut events, mut position) = (Vec::new(), Position::START);
    loop {
        // Before the read: what is behind it was stored before.
        let target = end.borrow_and_update().clone();
        let page = store.read_all(&position, &Filter::all(), batch).await?;
        events.extend(page.events);
        position = page.position;
        if target.is_some_and(|target| position.has_reached(&target)) {
            return Ok(events);
        }
        if page.at_end {
            store.wait(&position, POLL).await?;
        }
    }
}

/// What came of a race.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Events whose transactions were committed.
    pub committed: u64,
    /// Events that were stored and rolled back.
    pub rolled_back: u64,
    /// Transactions that met another one and were given up.
    pub given_up: u64,
    /// Events that the reader got.
    pub read: u64,
    /// Committed events that it did not get.
    pub missed: u64,
    /// Events that it got twice.
    pub repeated: u64,
    /// Events that it got and that nobody committed.
    pub unexpected: u64,
    /// Events that came before or after their place in their stream.
    pub inversions: u64,
    /// Events whose position is not behind that of the event before.
    pub backward: u64,
}

impl Verdict {
    /// Holds what was read against what was written.
    pub fn of(written: &Written, read: &[StoredEvent]) -> Self {
        let committed: HashSet<&Id> = written.committed.iter().collect();
        let mut verdict = Verdict {
            committed: committed.len() as u64,
            rolled_back: written.rolled_back,
            given_up: written.given_up,
            read: read.len() as u64,
            ..Verdict::default()
        };
        let (mut seen, mut last) = (HashSet::new(), HashMap::new());
        let mut position = &Position::START;
        for event in read {
            let id = &event.head().event_id;
            verdict.repeated += u64::from(!seen.insert(id));
            verdict.unexpected += u64::from(!committed.contains(id));
            let last = last.entry(event.stream()).or_insert(0);
            verdict.inversions += u64::from(event.sequence() != *last + 1);
            *last = event.sequence();
            verdict.backward += u64::from(position.has_reached(event.position()));
            position = event.position();
        }
        verdict.missed = committed.iter().filter(|id| !seen.contains(*id)).count() as u64;
        verdict
    }

    /// Whether the reader got every event once and in its order.
    pub fn is_right(&self) -> bool {
        let Verdict { missed, repeated, unexpected, inversions, backward, .. } = self;
        [missed, repeated, unexpected, inversions, backward].into_iter().all(|count| *count == 0)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("committed", self.committed),
            ("rolled back", self.rolled_back),
            ("transactions given up", self.given_up),
            ("read", self.read),
            ("missed", self.missed),
            ("repeated", self.repeated),
            ("never committed", self.unexpected),
            ("out of their stream's order", self.inversions),
            ("out of the order of positions", self.backward),
        ];
        writeln!(f, "| events | count |\n|---|---:|")?;
        lines.iter().try_for_each(|(name, count)| writeln!(f, "| {name} | {count} |"))
    }
}
