//! The audit: every event of any type, counted, and kept for the order that is followed.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jitney::handler::{Context, Reply, Verdict};
use jitney::middleware::{Middleware, Next};
use jitney::prelude::*;
use jitney::{Head, Id};

/// What the audit has seen.
#[derive(Debug, Clone, Default)]
pub struct Audit(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
pub struct Seen {
    pub by_type: BTreeMap<String, u64>,
    pub followed: Vec<Head>,
    follow: Option<String>,
}

impl Audit {
    /// An audit that keeps the events of the order `follow`.
    pub fn new(follow: Option<String>) -> Self {
        let audit = Audit::default();
        audit.seen().follow = follow;
        audit
    }

    /// What it has seen.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[handler(group = "audit", idempotent)]
pub async fn record(event: RawEvent, State(audit): State<Audit>) {
    let head = event.head();
    let mut seen = audit.seen();
    if seen.follow.as_deref() == Some(&*head.aggregate_id) {
        seen.followed.push(head.clone());
    }
    if head.aggregate_type == "Order" {
        *seen.by_type.entry(head.event_type.to_string()).or_default() += 1;
    }
}

/// Around every handler: which group has handled which event.
#[derive(Debug, Clone, Default)]
pub struct Handled(Arc<Mutex<HashSet<(String, Id)>>>);

impl Handled {
    /// How many events were handled, each once a group.
    pub fn distinct(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[async_trait::async_trait]
impl Middleware for Handled {
    async fn handle<'a>(&'a self, cx: Context<'a>, next: Next<'a>) -> Reply {
        let reply = next.run(cx).await;
        if matches!(&reply, Reply::All(outcome) if matches!(outcome.verdict(), Verdict::Ack)) {
            let key = (cx.group().to_owned(), cx.head().event_id.clone());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        }
        reply
    }
}
