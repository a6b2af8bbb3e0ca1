//! The processes of one process manager.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jitney_core::Id;

use crate::process::{
    CheckpointMove, DueDeadlines, ListProcesses, Loaded, ParkedInput, PendingDeadline, ProcessChange,
    ProcessCommit, ProcessCounts, ProcessInfo, ProcessStep, StoredProcess,
};
use crate::{Error, Position};

#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) processes: BTreeMap<String, Entry>,
    pub(super) parked: HashMap<Id, ParkedInput>,
    pub(super) position: Position,
    follower: Option<(String, Timestamp)>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) process: StoredProcess,
    pub(super) steps: Vec<ProcessStep>,
    /// With the time until which each is claimed.
    deadlines: BTreeMap<String, (PendingDeadline, Timestamp)>,
}

impl Default for Shelf {
    fn default() -> Self {
        Shelf {
            processes: BTreeMap::new(),
            parked: HashMap::new(),
            position: Position::START,
            follower: None,
        }
    }
}

impl Shelf {
    pub(super) fn load(&self, inputs: &[(String, Id)]) -> Loaded {
        let mut loaded = Loaded::default();
        for (key, id) in inputs {
            let Some(entry) = self.processes.get(key) else { continue };
            if !loaded.processes.iter().any(|process| process.key == *key) {
                loaded.processes.push(entry.process.clone());
            }
            if entry.steps.iter().any(|step| step.id == *id) {
                loaded.handled.insert((key.clone(), id.clone()));
            }
        }
        loaded
    }

    /// Refuses what does not fit to what is here.
    pub(super) fn check(&self, commit: &ProcessCommit) -> Result<(), Error> {
        for ProcessChange { expected, process, steps, .. } in &commit.changes {
            let entry = self.processes.get(&process.key);
            let found = entry.map_or(0, |entry| entry.process.version);
            let is_known = |step: &ProcessStep| {
                entry.is_some_and(|entry| entry.steps.iter().any(|known| known.id == step.id))
            };
            if found != *expected || steps.iter().any(is_known) {
                return Err(commit.moved(&process.key));
            }
        }
        let Some(CheckpointMove { owner, from, .. }) = &commit.checkpoint else { return Ok(()) };
        match &self.follower {
            Some((follower, _)) if follower == owner && self.position == *from => Ok(()),
            _ => Err(commit.overtaken()),
        }
    }

    pub(super) fn store(
        &mut self,
        changes: Vec<ProcessChange>,
        parked: Vec<ParkedInput>,
        checkpoint: Option<CheckpointMove>,
    ) {
        for ProcessChange { process, steps, deadlines, .. } in changes {
            let entry = self.processes.entry(process.key.clone()).or_insert_with(|| Entry {
                process: process.clone(),
                steps: Vec::new(),
                deadlines: BTreeMap::new(),
            });
            entry.process = process;
            entry.steps.extend(steps);
            for (text, pending) in deadlines {
                match pending {
                    Some(pending) => drop(entry.deadlines.insert(text, (pending, Timestamp::MIN))),
                    None => drop(entry.deadlines.remove(&text)),
                }
            }
            if entry.process.completed {
                entry.deadlines.clear();
            }
        }
        self.parked.extend(parked.into_iter().map(|input| (input.event_id.clone(), input)));
        if let Some(checkpoint) = checkpoint {
            self.position = checkpoint.to;
        }
    }

    pub(super) fn name_parked(&mut self, input: &ParkedInput) {
        self.parked.entry(input.event_id.clone()).or_insert_with(|| input.clone());
    }

    pub(super) fn parked_inputs(&self, limit: usize) -> Vec<ParkedInput> {
        let mut parked: Vec<_> =
            self.parked.values().filter(|input| input.error.is_some()).cloned().collect();
        parked.sort_by(|a, b| (a.at, &a.event_id).cmp(&(b.at, &b.event_id)));
        parked.truncate(limit);
        parked
    }

    pub(super) fn claim_due(&mut self, now: Timestamp, until: Timestamp, limit: usize) -> DueDeadlines {
        let all = self.processes.values_mut().flat_map(|entry| entry.deadlines.values_mut());
        let mut free: Vec<_> = all.filter(|(_, claimed)| *claimed <= now).collect();
        free.sort_by_key(|(pending, _)| pending.at);
        let mut due = DueDeadlines::default();
        for (pending, claimed) in free {
            if pending.at > now || due.claimed.len() == limit {
                due.next = Some(pending.at);
                break;
            }
            *claimed = until;
            due.claimed.push(pending.clone());
        }
        due
    }

    pub(super) fn deadlines_of(&self, key: &str) -> Vec<PendingDeadline> {
        let Some(entry) = self.processes.get(key) else { return Vec::new() };
        let mut deadlines: Vec<_> = entry.deadlines.values().map(|(pending, _)| pending.clone()).collect();
        deadlines.sort_by_key(|pending| pending.at);
        deadlines
    }

    pub(super) fn claim_feed(&mut self, owner: &str, now: Timestamp, until: Timestamp) -> Option<Position> {
        if self.follower.as_ref().is_some_and(|(follower, ends)| follower != owner && *ends > now) {
            return None;
        }
        self.follower = Some((owner.to_owned(), until));
        Some(self.position.clone())
    }

    pub(super) fn release_feed(&mut self, owner: &str) {
        self.follower.take_if(|(follower, _)| follower == owner);
    }

    pub(super) fn list(&self, list: &ListProcesses) -> Vec<ProcessInfo> {
        let open = self.processes.values().filter(|entry| !entry.process.completed);
        open.filter(|entry| list.after.as_ref().is_none_or(|after| entry.process.key > *after))
            .filter(|entry| list.idle_since.is_none_or(|since| entry.process.updated_at <= since))
            .take(list.limit)
            .map(|Entry { process, deadlines, .. }| ProcessInfo {
                key: process.key.clone(),
                version: process.version,
                started_at: process.started_at,
                updated_at: process.updated_at,
                next_deadline: deadlines.values().map(|(pending, _)| pending.at).min(),
            })
            .collect()
    }

    pub(super) fn counts(&self, now: Timestamp) -> ProcessCounts {
        let open = self.processes.values().filter(|entry| !entry.process.completed).count();
        let deadlines = self.processes.values().flat_map(|entry| entry.deadlines.values());
        let overdue: Vec<_> = deadlines.map(|(pending, _)| pending.at).filter(|at| *at <= now).collect();
        ProcessCounts {
            open: open as u64,
            overdue: overdue.len() as u64,
            overdue_since: overdue.into_iter().min(),
            parked: self.parked.values().filter(|input| input.error.is_some()).count() as u64,
        }
    }

    pub(super) fn remove_completed(&mut self, before: Timestamp, limit: usize) -> u64 {
        let is_old = |entry: &Entry| entry.process.completed && entry.process.updated_at < before;
        let old = self.processes.iter().filter(|(_, entry)| is_old(entry)).take(limit);
        let old: Vec<_> = old.map(|(key, _)| key.clone()).collect();
        old.iter().for_each(|key| drop(self.processes.remove(key)));
        old.len() as u64
    }
}
