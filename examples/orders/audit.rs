//! The audit: every event of any type, counted, and kept for the order that is followed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jitney::prelude::*;
use jitney::{Head, Id};

/// What the audit has seen.
#[derive(Debug, Clone, Default)]
pub struct Audit(Arc<Mutex<Seen>>);

/// Events by their ids, so that none counts twice.
#[derive(Debug, Default)]
struct Seen {
    by_type: BTreeMap<String, HashSet<Id>>,
    follow: Option<String>,
    followed: HashMap<Id, Head>,
}

impl Audit {
    /// An audit that keeps what happens to the order `follow`.
    pub fn new(follow: Option<String>) -> Self {
        Audit(Arc::new(Mutex::new(Seen { follow, ..Seen::default() })))
    }

    /// How many events of each type there were.
    pub fn by_type(&self) -> BTreeMap<String, usize> {
        self.seen().by_type.iter().map(|(event_type, ids)| (event_type.clone(), ids.len())).collect()
    }

    /// What happened to the order that is followed, the command included.
    pub fn followed(&self) -> Vec<Head> {
        self.seen().followed.values().cloned().collect()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[handler(group = "audit", idempotent)]
pub async fn record(event: RawEvent, State(audit): State<Audit>) {
    let head = event.head();
    let mut seen = audit.seen();
    if seen.follow.as_deref() == Some(&*head.aggregate_id) {
        seen.followed.insert(head.event_id.clone(), head.clone());
    }
    // A command is no event of the order yet.
    if head.aggregate_type == "Order" {
        seen.by_type.entry(head.event_type.to_string()).or_default().insert(head.event_id.clone());
    }
}
