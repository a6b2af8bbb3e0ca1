//! Middleware around every handler: which group has handled which event.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use jitney::Id;
use jitney::handler::{Context, Reply, Verdict};
use jitney::middleware::{Middleware, Next};

/// The events that each group has handled with success.
#[derive(Debug, Clone, Default)]
pub struct Handled(Arc<Mutex<HashMap<String, HashSet<Id>>>>);

impl Handled {
    /// How many events were handled, each once a group.
    pub fn distinct(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(HashSet::len).sum()
    }

    fn add(&self, group: &str, event: Id) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match groups.get_mut(group) {
            Some(events) => events.insert(event),
            None => groups.entry(group.to_owned()).or_default().insert(event),
        };
    }
}

#[async_trait::async_trait]
impl Middleware for Handled {
    async fn handle<'a>(&'a self, cx: Context<'a>, next: Next<'a>) -> Reply {
        let reply = next.run(cx).await;
        if matches!(&reply, Reply::All(outcome) if matches!(outcome.verdict(), Verdict::Ack)) {
            self.add(cx.group(), cx.head().event_id.clone());
        }
        reply
    }
}
