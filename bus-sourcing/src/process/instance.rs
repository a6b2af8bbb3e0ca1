//! One process, and a step of it: without a store.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use jitney_core::Head;
use jitney_core::personal::{tellable, written};

use super::actions::{Action, When};
use super::{Actions, OutgoingEvent, ProcessContext, ProcessManager, StoredProcess};
use crate::{Error, ErrorKind};

/// The most bytes that the key of a process may have.
const MAX_KEY_BYTES: usize = 512;

/// A process in memory: its state, and the compensations that it keeps. Runners and tests make its steps.
#[derive(Debug, Clone)]
pub struct ProcessInstance<P> {
    state: P,
    compensations: Vec<OutgoingEvent>,
    completed: bool,
}

/// What a step leads to beside the new state.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Effects {
    /// What is sent, in this order.
    pub sent: Vec<OutgoingEvent>,
    /// Deadlines that are set or taken back, in this order.
    pub deadlines: Vec<DeadlineChange>,
    /// The process has ended, and all of its deadlines with it.
    pub completed: bool,
}

/// A deadline that is set, moved, or taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadlineChange {
    /// The deadline, as JSON text.
    pub deadline: String,
    /// When it fires, in whole milliseconds; none where it is taken back.
    pub at: Option<Timestamp>,
}

impl<P: ProcessManager> Default for ProcessInstance<P> {
    fn default() -> Self {
        ProcessInstance { state: P::default(), compensations: Vec::new(), completed: false }
    }
}

impl<P: ProcessManager> ProcessInstance<P> {
    /// The process that `stored` says, brought up to date.
    ///
    /// # Errors
    ///
    /// Of kind [`Decode`](ErrorKind::Decode) when the state cannot be read, and of kind
    /// [`NewerSchema`](ErrorKind::NewerSchema) when it is of a later version than this program's, which is worth another try: by
    /// a program that knows it. Both name the process.
    pub fn restore(stored: &StoredProcess) -> Result<Self, Error> {
        let name = P::NAME;
        let StoredProcess { key, state_version, state, compensations, .. } = stored;
        let doing = || format!("reading the state of process `{key}` of `{name}` (version {state_version})");
        let unread = |what: &str, error: Box<dyn std::error::Error + Send + Sync>| {
            let (of_state, of_rest) = (state.as_bytes(), compensations.as_bytes());
            let error = tellable(of_state, tellable(of_rest, error));
            Error::new(ErrorKind::Decode, format!("{}: {what}", doing())).with_source(error)
        };
        if *state_version > P::VERSION {
            let what = format!(
                "{}: this program knows versions up to {}; use the version of it that has written the state, or a later one",
                doing(),
                P::VERSION
            );
            // Others, or this one when it was replaced, can.
            return Err(Error::new(ErrorKind::NewerSchema, what).retryable(true));
        }
        let wrong =
            "it is no state of this type; correct the row, or raise `VERSION` and write `upcast_state`";
        let state = match *state_version == P::VERSION {
            true => serde_json::from_str(state).map_err(|error| unread(wrong, error.into()))?,
            false => {
                let old = serde_json::from_str(state).map_err(|error| unread(wrong, error.into()))?;
                let new = P::upcast_state(*state_version, old);
                let new = new.map_err(|error| unread("the upcast has failed", error))?;
                let wrong = "what the upcast has made of it is no state of this type";
                serde_json::from_value(new).map_err(|error| unread(wrong, error.into()))?
            }
        };
        let wrong = "its compensations are not as this library writes them; correct the row";
        let kept = serde_json::from_str(compensations).map_err(|error| unread(wrong, error.into()))?;
        Ok(ProcessInstance { state, compensations: kept, completed: stored.completed })
    }

    /// Refuses a `key` that no store can keep, of the event of `head`.
    ///
    /// # Errors
    ///
    /// Of kind [`Invalid`](ErrorKind::Invalid) when it is empty, longer than 512 bytes, or contains a NUL character.
    pub fn check_key(key: &str, head: &Head) -> Result<(), Error> {
        if !key.is_empty() && key.len() <= MAX_KEY_BYTES && !key.contains('\0') {
            return Ok(());
        }
        let (name, id, event_type) = (P::NAME, &head.event_id, &head.event_type);
        let what = format!(
            "finding the process of `{name}` for event {id} (`{event_type}`): its key {key:?} is empty, longer than \
             {MAX_KEY_BYTES} bytes, or contains a NUL character; have `key` answer none for what belongs to no process"
        );
        Err(Error::new(ErrorKind::Invalid, what))
    }

    /// The state.
    pub fn state(&self) -> &P {
        &self.state
    }

    /// Whether it has ended.
    pub fn is_completed(&self) -> bool {
        self.completed
    }

    /// What is sent when it compensates, the oldest first.
    pub fn compensations(&self) -> &[OutgoingEvent] {
        &self.compensations
    }

    /// Handles `input`. Behind an error this is not to be used any more.
    ///
    /// # Errors
    ///
    /// Of kind [`Process`](ErrorKind::Process) when the process manager fails, [`Encode`](ErrorKind::Encode) and
    /// [`Invalid`](ErrorKind::Invalid) when what it wants cannot be stored.
    pub fn handle(&mut self, input: P::Input, cx: &ProcessContext<'_>) -> Result<Effects, Error> {
        let what = || match cx.event() {
            Some(head) => format!("event {} (`{}`)", head.event_id, head.event_type),
            None => "an event".to_owned(),
        };
        let actions = self.state.handle(input, cx).map_err(|error| failed::<P>(&what(), cx, error))?;
        self.follow(actions, cx)
    }

    /// Handles `deadline`, a JSON text. Behind an error this is not to be used any more.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle); of kind [`Decode`](ErrorKind::Decode) when the deadline cannot be read.
    pub fn on_deadline(&mut self, deadline: &str, cx: &ProcessContext<'_>) -> Result<Effects, Error> {
        let read = serde_json::from_str(deadline).map_err(|error| {
            let (name, key) = (P::NAME, cx.key());
            let what = format!(
                "reading deadline {deadline} of process `{key}` of `{name}`: this program knows none like it; keep the old \
                 variant until no process has one"
            );
            Error::new(ErrorKind::Decode, what).with_source(error)
        })?;
        let actions = self.state.on_deadline(read, cx);
        let actions = actions.map_err(|error| failed::<P>(&format!("deadline {deadline}"), cx, error))?;
        self.follow(actions, cx)
    }

    fn follow(&mut self, actions: Actions<P::Deadline>, cx: &ProcessContext<'_>) -> Result<Effects, Error> {
        let mut effects = Effects::default();
        let unfit = |error: Error| {
            let what = format!("making a step of process `{}` of `{}`", cx.key(), P::NAME);
            Error::new(error.kind(), what).with_source(error)
        };
        for action in actions.into_actions().map_err(unfit)? {
            match action {
                Action::Send(event) => effects.sent.push(event),
                Action::KeepCompensation(event) => self.compensations.push(event),
                Action::Compensate => effects.sent.extend(self.compensations.drain(..).rev()),
                Action::Schedule { deadline, when } => {
                    let at = match when {
                        When::At(time) => time,
                        // A time that no calendar has is as good as never.
                        When::After(after) => cx.now().checked_add(after).unwrap_or(Timestamp::MAX),
                    };
                    let at = Some(in_milliseconds(at));
                    effects.deadlines.push(DeadlineChange { deadline, at });
                }
                Action::Cancel { deadline } => effects.deadlines.push(DeadlineChange { deadline, at: None }),
                Action::Complete => self.completed = true,
            }
        }
        effects.completed = self.completed;
        if self.completed {
            effects.deadlines.clear();
        }
        Ok(effects)
    }

    /// The state, and the compensations, the oldest first.
    pub(super) fn into_parts(self) -> (P, Vec<OutgoingEvent>) {
        (self.state, self.compensations)
    }

    /// This process `key` as it is stored, with a first step at `now`.
    ///
    /// # Errors
    ///
    /// Of kind [`Encode`](ErrorKind::Encode) when the state cannot be serialized.
    pub fn store(&self, key: &str, now: Timestamp) -> Result<StoredProcess, Error> {
        let json = |write: &dyn Fn(&mut Vec<u8>) -> serde_json::Result<()>| {
            let mut json = Vec::new();
            written(&mut json, write).map_err(|error| {
                let what = format!("encoding the state of process `{key}` of `{}`", P::NAME);
                Error::new(ErrorKind::Encode, what).with_source(error)
            })?;
            Ok(String::from_utf8(json).expect("a serializer of JSON writes text"))
        };
        Ok(StoredProcess {
            key: key.to_owned(),
            version: 1,
            state_version: P::VERSION,
            state: json(&|out| serde_json::to_writer(out, &self.state))?,
            compensations: json(&|out| serde_json::to_writer(out, &self.compensations))?,
            completed: self.completed,
            started_at: now,
            updated_at: now,
        })
    }

    /// This process as it is stored, behind the next step.
    pub(super) fn store_behind(
        &self,
        before: &StoredProcess,
        now: Timestamp,
    ) -> Result<StoredProcess, Error> {
        let first = self.store(&before.key, now)?;
        Ok(StoredProcess { version: before.version + 1, started_at: before.started_at, ..first })
    }
}

/// What a store can keep of a time, and never an earlier one: a deadline does not fire early.
fn in_milliseconds(time: Timestamp) -> Timestamp {
    let up = TimestampRound::new().smallest(Unit::Millisecond).mode(RoundMode::Ceil);
    // There is nothing behind the last time that a calendar has.
    time.round(up).unwrap_or_else(|_| Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time))
}

fn failed<P: ProcessManager>(what: &str, cx: &ProcessContext<'_>, error: P::Error) -> Error {
    let (name, key) = (P::NAME, cx.key());
    let what = format!(
        "handling {what} in process `{key}` of `{name}`: it has failed, and the process is as it was"
    );
    Error::new(ErrorKind::Process, what).with_source(error)
}
