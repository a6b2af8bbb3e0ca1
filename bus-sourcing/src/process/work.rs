//! Steps that are stored together: what is loaded, and what becomes of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use jitney_core::outbox::OutboxEvent;
use jitney_core::{Head, Id};

use super::panics::caught;
use super::{
    Cause, CheckpointMove, Effects, Handling, Loaded, ParkedInput, PendingDeadline, ProcessChange,
    ProcessCommit, ProcessContext, ProcessInstance, ProcessManager, ProcessStep, StoredProcess,
};
use crate::Error;

/// The steps of some processes, one behind the other.
#[derive(Debug)]
pub(super) struct Work {
    process: &'static str,
    processes: HashMap<String, StoredProcess>,
    handled: HashSet<(String, Id)>,
    changes: BTreeMap<String, ProcessChange>,
    messages: Vec<OutboxEvent>,
}

impl Work {
    pub(super) fn new(process: &'static str, loaded: Loaded) -> Self {
        let processes = loaded.processes.into_iter().map(|process| (process.key.clone(), process));
        Work {
            process,
            processes: processes.collect(),
            handled: loaded.handled,
            changes: BTreeMap::new(),
            messages: Vec::new(),
        }
    }

    /// Has the process `key` handle `input`, the event of `head`. Where it fails, nothing of it is part of the work.
    pub(super) fn handle<P: ProcessManager>(
        &mut self,
        key: &str,
        head: &Head,
        input: P::Input,
        now: Timestamp,
    ) -> Result<Handling, Error> {
        let doing = || format!("handling event {} (`{}`) in process `{key}`", head.event_id, head.event_type);
        caught::<P, _>(doing, || self.step::<P>(key, head, input, now))
    }

    fn step<P: ProcessManager>(
        &mut self,
        key: &str,
        head: &Head,
        input: P::Input,
        now: Timestamp,
    ) -> Result<Handling, Error> {
        ProcessInstance::<P>::check_key(key, head)?;
        let mark = (key.to_owned(), head.event_id.clone());
        if self.handled.contains(&mark) {
            return Ok(Handling::Repeated);
        }
        let known = self.processes.get(key);
        if known.is_some_and(|process| process.completed) {
            return Ok(Handling::IgnoredCompleted);
        }
        if known.is_none() && !P::starts(&input) {
            return Ok(Handling::IgnoredUnknown);
        }
        let mut instance =
            known.map_or_else(|| Ok(ProcessInstance::<P>::default()), ProcessInstance::restore)?;
        let effects = instance.handle(input, &ProcessContext::new(key, now, Some(head)))?;
        let before = known.cloned().unwrap_or_else(|| begun(key, now));
        let after = instance.store_behind(&before, now)?;
        let step = ProcessStep { id: head.event_id.clone(), what: head.event_type.to_string(), at: now };
        self.add(&before, after, step, effects, &Cause::of(head), now);
        self.handled.insert(mark);
        Ok(if instance.is_completed() { Handling::Completed } else { Handling::Handled })
    }

    /// Has the process of `deadline` handle it, where the process is open and has not done so.
    pub(super) fn fire<P: ProcessManager>(
        &mut self,
        deadline: &PendingDeadline,
        now: Timestamp,
    ) -> Result<Handling, Error> {
        let doing = || format!("handling deadline {} in process `{}`", deadline.deadline, deadline.key);
        caught::<P, _>(doing, || self.fire_step::<P>(deadline, now))
    }

    fn fire_step<P: ProcessManager>(
        &mut self,
        deadline: &PendingDeadline,
        now: Timestamp,
    ) -> Result<Handling, Error> {
        let key = &*deadline.key;
        let id = deadline.step_id(self.process);
        let Some(known) = self.processes.get(key) else { return Ok(Handling::IgnoredUnknown) };
        if known.completed {
            return Ok(Handling::IgnoredCompleted);
        }
        let mut instance = ProcessInstance::<P>::restore(known)?;
        let effects = instance.on_deadline(&deadline.deadline, &ProcessContext::new(key, now, None))?;
        let before = known.clone();
        let after = instance.store_behind(&before, now)?;
        let step = ProcessStep { id: id.clone(), what: deadline.deadline.clone(), at: now };
        let change = self.change(&before);
        change.deadlines.insert(deadline.deadline.clone(), None);
        let cause = Cause { id, metadata: deadline.cause.metadata.clone() };
        self.add(&before, after, step, effects, &cause, now);
        Ok(if instance.is_completed() { Handling::Completed } else { Handling::Handled })
    }

    fn change(&mut self, before: &StoredProcess) -> &mut ProcessChange {
        self.changes.entry(before.key.clone()).or_insert_with(|| ProcessChange {
            expected: before.version,
            process: before.clone(),
            steps: Vec::new(),
            deadlines: BTreeMap::new(),
        })
    }

    fn add(
        &mut self,
        before: &StoredProcess,
        after: StoredProcess,
        step: ProcessStep,
        effects: Effects,
        cause: &Cause,
        now: Timestamp,
    ) {
        let origin = format!("process {} {}", self.process, before.key);
        let sent = effects.sent.into_iter().enumerate();
        let sent = sent.map(|(index, event)| {
            event.into_outbox(cause.id.derive(&origin, index), now, cause.metadata.clone())
        });
        self.messages.extend(sent);
        let change = self.change(before);
        change.process = after.clone();
        change.steps.push(step);
        for set in effects.deadlines {
            let pending = set.at.map(|at| PendingDeadline {
                key: after.key.clone(),
                deadline: set.deadline.clone(),
                at,
                cause: cause.clone(),
            });
            change.deadlines.insert(set.deadline, pending);
        }
        if effects.completed {
            change.deadlines.clear();
        }
        self.processes.insert(after.key.clone(), after);
    }

    /// Whether there is nothing to store.
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn into_commit(
        self,
        parked: Vec<ParkedInput>,
        checkpoint: Option<CheckpointMove>,
    ) -> ProcessCommit {
        let changes = self.changes.into_values().collect();
        ProcessCommit { process: self.process, changes, messages: self.messages, parked, checkpoint }
    }
}

/// A process before its first step.
fn begun(key: &str, now: Timestamp) -> StoredProcess {
    StoredProcess {
        key: key.to_owned(),
        version: 0,
        state_version: 0,
        state: String::new(),
        compensations: String::new(),
        completed: false,
        started_at: now,
        updated_at: now,
    }
}
