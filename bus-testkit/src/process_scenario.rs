//! Given these inputs, when another one comes or time passes, then these events are sent and those deadlines set.
//!
//! ```
//! # use std::convert::Infallible;
//! use std::time::Duration;
//!
//! # use jitney_derive::DomainEvent;
//! # use jitney_sourcing::process::{Actions, ProcessContext, ProcessManager};
//! use jitney_testkit::given_process;
//! # use serde::{Deserialize, Serialize};
//! #
//! # #[derive(Serialize, Deserialize, DomainEvent)]
//! # #[event(aggregate = "Order", id = order, crate = "jitney_core")]
//! # struct OrderPlaced { order: String }
//! # #[derive(Serialize, Deserialize, DomainEvent)]
//! # #[event(aggregate = "Payment", id = order, crate = "jitney_core")]
//! # struct RemindCustomer { order: String }
//! # #[derive(Serialize, Deserialize)]
//! # enum Deadline { Payment }
//! # #[derive(Default, Serialize, Deserialize)]
//! # struct Reminder;
//! # impl ProcessManager for Reminder {
//! #     type Input = OrderPlaced;
//! #     type Deadline = Deadline;
//! #     type Error = Infallible;
//! #     const NAME: &'static str = "reminder";
//! #     fn key(input: &OrderPlaced) -> Option<String> { Some(input.order.clone()) }
//! #     fn starts(_: &OrderPlaced) -> bool { true }
//! #     fn handle(&mut self, _: OrderPlaced, _: &ProcessContext<'_>) -> Result<Actions<Deadline>, Infallible> {
//! #         Ok(Actions::new().schedule(Deadline::Payment, Duration::from_secs(60)))
//! #     }
//! #     fn on_deadline(&mut self, _: Deadline, cx: &ProcessContext<'_>) -> Result<Actions<Deadline>, Infallible> {
//! #         Ok(Actions::new().send(&RemindCustomer { order: cx.key().to_owned() }).complete())
//! #     }
//! # }
//!
//! given_process::<Reminder>([])
//!     .when(OrderPlaced { order: "42".into() })
//!     .then_nothing_sent()
//!     .then_deadline(Deadline::Payment, Duration::from_secs(60))
//!     .after(Duration::from_secs(60))
//!     .then_sent([RemindCustomer { order: "42".into() }])
//!     .then_completed();
//! ```
//!
//! Time stands still but for [`after`](GivenProcess::after), which has deadlines fire in their order. State and deadlines go
//! through their JSON behind each step, as they do in a store.

mod expected;

use std::time::Duration;

use jiff::Timestamp;
use jitney_core::event::OneOf;
use jitney_core::{Head, Id, error_chain};
use jitney_sourcing::process::{
    Effects, OutgoingEvent, ProcessContext, ProcessInstance, ProcessManager, StoredProcess,
};
use serde_json::Value;

pub use self::expected::ExpectedEvents;
use crate::scenario::diff;

/// When a scenario begins.
const BEGIN: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// A process that has handled these inputs, one behind the other, at one time. What it has sent then is not looked at.
///
/// # Panics
///
/// When it cannot handle them.
#[must_use = "the test is in `when(…)` or `after(…)`"]
#[track_caller]
pub fn given_process<P: ProcessManager>(inputs: impl IntoIterator<Item = P::Input>) -> GivenProcess<P> {
    let mut process =
        GivenProcess::<P> { key: None, stored: None, deadlines: Vec::new(), now: BEGIN, inputs: 0 };
    for input in inputs {
        let event_type = input.type_of().name();
        match process.handle(input) {
            Ok(Some(_)) => {}
            Ok(None) => {
                panic!("`{event_type}` is ignored: it may not start a process, or the process has ended")
            }
            Err(error) => panic!("`{event_type}` cannot be handled: {error}"),
        }
    }
    process
}

/// A process that has a past.
#[derive(Debug, Clone)]
pub struct GivenProcess<P> {
    key: Option<String>,
    stored: Option<(StoredProcess, ProcessInstance<P>)>,
    /// In no order.
    deadlines: Vec<(String, Timestamp)>,
    now: Timestamp,
    inputs: usize,
}

/// What a process has done.
#[derive(Debug, Clone)]
pub struct ProcessSteps<P> {
    process: GivenProcess<P>,
    sent: Vec<OutgoingEvent>,
    ignored: bool,
    failed: Option<String>,
}

impl<P: ProcessManager> GivenProcess<P> {
    /// Has it handle `input`.
    ///
    /// # Panics
    ///
    /// When `input` is of another process.
    #[must_use = "the test is in `then_sent(…)` and its like"]
    #[track_caller]
    pub fn when(mut self, input: impl Into<P::Input>) -> ProcessSteps<P> {
        match self.handle(input.into()) {
            Ok(Some(effects)) => {
                ProcessSteps { process: self, sent: effects.sent, ignored: false, failed: None }
            }
            Ok(None) => ProcessSteps { process: self, sent: Vec::new(), ignored: true, failed: None },
            Err(error) => {
                ProcessSteps { process: self, sent: Vec::new(), ignored: false, failed: Some(error) }
            }
        }
    }

    /// Lets `time` pass, in whole milliseconds, in which deadlines fire, those too that are set meanwhile.
    #[must_use = "the test is in `then_sent(…)` and its like"]
    pub fn after(mut self, time: Duration) -> ProcessSteps<P> {
        let time = Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let end = self.now.checked_add(time).unwrap_or(Timestamp::MAX);
        let mut sent = Vec::new();
        while let Some(index) = self.next_deadline(end) {
            let (deadline, at) = self.deadlines.swap_remove(index);
            self.now = self.now.max(at);
            let key = self.key.clone().unwrap_or_default();
            let step = self.step(&key, None, |instance, cx| instance.on_deadline(&deadline, cx));
            match step {
                Ok(effects) => sent.extend(effects.sent),
                Err(error) => {
                    return ProcessSteps { process: self, sent, ignored: false, failed: Some(error) };
                }
            }
        }
        self.now = end;
        ProcessSteps { process: self, sent, ignored: false, failed: None }
    }

    fn next_deadline(&self, end: Timestamp) -> Option<usize> {
        let due = self.deadlines.iter().enumerate().filter(|(_, (_, at))| *at <= end);
        due.min_by(|(_, a), (_, b)| (a.1, &a.0).cmp(&(b.1, &b.0))).map(|(index, _)| index)
    }

    /// The effects; none where it is ignored.
    #[track_caller]
    fn handle(&mut self, input: P::Input) -> Result<Option<Effects>, String> {
        let event_type = input.type_of();
        let Some(key) = P::key(&input) else { return Ok(None) };
        if let Some(known) = &self.key
            && *known != key
        {
            panic!(
                "`{event_type}` is of process `{key}`, and the others are of `{known}`; a scenario is of one"
            );
        }
        let id = Id::from(&*format!("input-{}", self.inputs + 1));
        let (name, aggregate, version) = (event_type.name(), event_type.aggregate(), event_type.version());
        let head = Head::new(id, name, aggregate, key.clone(), self.now, version);
        ProcessInstance::<P>::check_key(&key, &head).map_err(|error| error_chain(&error))?;
        match &self.stored {
            Some((_, instance)) if instance.is_completed() => return Ok(None),
            None if !P::starts(&input) => return Ok(None),
            _ => self.key = Some(key.clone()),
        }
        self.inputs += 1;
        self.step(&key, Some(&head), |instance, cx| instance.handle(input, cx)).map(Some)
    }

    fn step(
        &mut self,
        key: &str,
        head: Option<&Head>,
        step: impl FnOnce(&mut ProcessInstance<P>, &ProcessContext<'_>) -> Result<Effects, jitney_sourcing::Error>,
    ) -> Result<Effects, String> {
        let text = |error| error_chain(&error);
        let cx = ProcessContext::new(key, self.now, head);
        let mut instance = match &self.stored {
            Some((stored, _)) => ProcessInstance::restore(stored).map_err(text)?,
            None => ProcessInstance::default(),
        };
        let effects = step(&mut instance, &cx).map_err(text)?;
        let stored = instance.store(key, self.now).map_err(text)?;
        let instance = ProcessInstance::restore(&stored).map_err(text)?;
        self.stored = Some((stored, instance));
        for change in &effects.deadlines {
            self.deadlines.retain(|(deadline, _)| *deadline != change.deadline);
            self.deadlines.extend(change.at.map(|at| (change.deadline.clone(), at)));
        }
        if effects.completed {
            self.deadlines.clear();
        }
        Ok(effects)
    }
}

impl<P: ProcessManager> ProcessSteps<P> {
    /// Then `events` are sent, these and no others, in this order: an array of one type, or a tuple of several.
    ///
    /// # Panics
    ///
    /// When others are sent, with the difference; and when the process failed.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a test writes the events where they stand")]
    pub fn then_sent(self, events: impl ExpectedEvents) -> Self {
        self.succeeded();
        let expected: String = events.outgoing().iter().map(text).collect();
        let found: String = self.sent.iter().map(text).collect();
        assert!(expected == found, "other events are sent (- expected, + sent)\n{}", diff(&expected, &found));
        self
    }

    /// Then nothing is sent.
    ///
    /// # Panics
    ///
    /// When something is, and when the process failed.
    #[track_caller]
    pub fn then_nothing_sent(self) -> Self {
        self.then_sent(())
    }

    /// Then `deadline` is set, and fires when `after` has passed from now on, to the millisecond: a part of one is a whole one.
    ///
    /// # Panics
    ///
    /// When it is not set, or for another time; and when the process failed.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a test writes the deadline where it stands")]
    pub fn then_deadline(self, deadline: P::Deadline, after: Duration) -> Self {
        self.succeeded();
        let json = serde_json::to_string(&deadline).expect("a deadline can be written as JSON");
        let after =
            Duration::from_millis(u64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX));
        let at = self.process.now.checked_add(after).unwrap_or(Timestamp::MAX);
        let expected = format!("{json} at {at}\n");
        let found = self.deadlines();
        assert!(
            found.lines().any(|line| line == expected.trim_end()),
            "the deadline is not set like this (- expected, + set)\n{}",
            diff(&expected, &found)
        );
        self
    }

    /// Then no deadline is set.
    ///
    /// # Panics
    ///
    /// When one is; and when the process failed.
    #[track_caller]
    pub fn then_no_deadline(self) -> Self {
        self.succeeded();
        let found = self.deadlines();
        assert!(found.is_empty(), "deadlines are set:\n{found}");
        self
    }

    /// Then the process has ended.
    ///
    /// # Panics
    ///
    /// When it has not; and when it failed.
    #[track_caller]
    pub fn then_completed(self) -> Self {
        self.succeeded();
        assert!(self.is_completed(), "the process has not ended");
        self
    }

    /// Then the process goes on.
    ///
    /// # Panics
    ///
    /// When it has ended; and when it failed.
    #[track_caller]
    pub fn then_open(self) -> Self {
        self.succeeded();
        assert!(self.process.stored.is_some() && !self.is_completed(), "the process has ended, or not begun");
        self
    }

    /// Then the input is ignored: it has no key, may not start a process, or came when the process had ended.
    ///
    /// # Panics
    ///
    /// When it was handled.
    #[track_caller]
    pub fn then_ignored(self) -> Self {
        self.succeeded();
        assert!(
            self.ignored,
            "it is handled; these events are sent:\n{}",
            self.sent.iter().map(text).collect::<String>()
        );
        self
    }

    /// Then the process manager fails, with what `look` is content with: the error and its causes, as text.
    ///
    /// # Panics
    ///
    /// When it does not fail; and when `look` does.
    #[track_caller]
    pub fn then_failed(self, look: impl FnOnce(&str)) {
        match &self.failed {
            Some(error) => look(error),
            None => panic!("it does not fail"),
        }
    }

    /// Looks at the state.
    ///
    /// # Panics
    ///
    /// When there is no process; and when it failed.
    #[track_caller]
    pub fn then_state(self, look: impl FnOnce(&P)) -> Self {
        self.succeeded();
        match &self.process.stored {
            Some((_, instance)) => look(instance.state()),
            None => panic!("no process has begun"),
        }
        self
    }

    /// Has it handle a further input.
    ///
    /// # Panics
    ///
    /// When it has failed, and when `input` is of another process.
    #[must_use = "the test is in `then_sent(…)` and its like"]
    #[track_caller]
    pub fn when(self, input: impl Into<P::Input>) -> ProcessSteps<P> {
        self.succeeded();
        self.process.when(input)
    }

    /// Lets further time pass.
    ///
    /// # Panics
    ///
    /// When it has failed.
    #[must_use = "the test is in `then_sent(…)` and its like"]
    #[track_caller]
    pub fn after(self, time: Duration) -> ProcessSteps<P> {
        self.succeeded();
        self.process.after(time)
    }

    #[track_caller]
    fn succeeded(&self) {
        if let Some(error) = &self.failed {
            panic!("it fails: {error}");
        }
    }

    fn is_completed(&self) -> bool {
        self.process.stored.as_ref().is_some_and(|(_, instance)| instance.is_completed())
    }

    /// One line a deadline, by time.
    fn deadlines(&self) -> String {
        let mut deadlines: Vec<_> = self.process.deadlines.iter().map(|(text, at)| (at, text)).collect();
        deadlines.sort();
        deadlines.iter().map(|(at, deadline)| format!("{deadline} at {at}\n")).collect()
    }
}

/// One line an event's type and aggregate, and its payload below.
fn text(event: &OutgoingEvent) -> String {
    let payload = serde_json::from_str::<Value>(event.payload_json()).expect("a payload was written as JSON");
    let payload = serde_json::to_string_pretty(&payload).expect("a value can be written");
    format!("{} of {} {payload}\n", event.event_type(), event.aggregate_id())
}
