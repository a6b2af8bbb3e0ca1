//! Each version of an event type names the one before it, so that a file that goes is missed.

use std::collections::BTreeMap;

use super::current::Key;
use super::review::Write;
use crate::lock::Entry;
use crate::problem::Problem;

/// What is to be written, each with what it overrules.
type Writes = Vec<(Write, Vec<Problem>)>;

/// `writes`, with the versions linked of the event types that they are about: further ones of `locked` are written again for it.
pub(super) fn linked(locked: &BTreeMap<Key, Entry>, writes: Writes) -> Writes {
    let mut by_key: BTreeMap<Key, (Write, Vec<Problem>)> = BTreeMap::new();
    for (write, problems) in writes {
        // What is written for the sake of a link alone comes behind changes of its own.
        by_key.entry(write.key()).or_insert_with(|| (write, Vec::new())).1.extend(problems);
    }
    let mut writes = by_key;
    let is_touched = |key: &Key, writes: &BTreeMap<Key, _>| {
        writes.keys().any(|touched: &Key| (&touched.0, &touched.1) == (&key.0, &key.1))
    };
    for (key, entry) in locked {
        if is_touched(key, &writes) && !writes.contains_key(key) {
            let write = Write::Entry { entry: entry.clone(), before: entry.text() };
            writes.insert(key.clone(), (write, Vec::new()));
        }
    }
    let mut last: Option<Key> = None;
    for (key, (write, _)) in &mut writes {
        if let Write::Entry { entry, .. } = write {
            let before = last.take().filter(|last| (&last.0, &last.1) == (&key.0, &key.1));
            entry.follows = before.map(|(_, _, version)| version);
            last = Some(key.clone());
        }
    }
    writes.into_values().filter(|(write, _)| write.changes()).collect()
}

impl Write {
    fn key(&self) -> Key {
        let (Write::Entry { entry, .. } | Write::Removed(entry)) = self;
        (entry.aggregate.clone(), entry.event.clone(), entry.version)
    }

    /// Whether a file is another one behind it.
    fn changes(&self) -> bool {
        match self {
            Write::Entry { entry, before } => entry.text() != *before,
            Write::Removed(_) => true,
        }
    }
}
