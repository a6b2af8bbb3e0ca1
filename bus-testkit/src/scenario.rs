//! Given these events, when this command comes, then those events follow.
//!
//! ```
//! use jitney_derive::DomainEvent;
//! use jitney_sourcing::{Aggregate, Events};
//! use jitney_testkit::given;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Door", crate = "jitney_core")]
//! enum DoorEvent { Opened, Closed }
//!
//! #[derive(Debug, Clone)]
//! enum Command { Open, Close }
//!
//! #[derive(Debug, PartialEq)]
//! struct AlreadyOpen;
//! # impl std::fmt::Display for AlreadyOpen {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("the door is open") }
//! # }
//! # impl std::error::Error for AlreadyOpen {}
//!
//! #[derive(Default)]
//! struct Door { open: bool }
//!
//! impl Aggregate for Door {
//!     type Event = DoorEvent;
//!     type Command = Command;
//!     type Error = AlreadyOpen;
//!
//!     fn decide(&self, command: Command) -> Result<Events<DoorEvent>, AlreadyOpen> {
//!         match command {
//!             Command::Open if self.open => Err(AlreadyOpen),
//!             Command::Open => Ok(DoorEvent::Opened.into()),
//!             Command::Close => Ok(self.open.then_some(DoorEvent::Closed).into()),
//!         }
//!     }
//!
//!     fn evolve(&mut self, event: &DoorEvent) {
//!         self.open = matches!(event, DoorEvent::Opened);
//!     }
//! }
//!
//! given::<Door>([]).when(Command::Open).then([DoorEvent::Opened]);
//! given::<Door>([DoorEvent::Opened]).when(Command::Open).then_refused(AlreadyOpen);
//! given::<Door>([DoorEvent::Opened, DoorEvent::Closed]).when(Command::Close).then_nothing();
//! given::<Door>([DoorEvent::Opened]).then_state(|door| assert!(door.open));
//! ```
//!
//! Events need not be comparable: they are compared as the JSON that a store would keep, and a difference is shown in it.
//! What an aggregate decides is written and read as a store would do it before it follows from it.

use std::fmt;

use jitney_core::codec::EncodePayload;
use jitney_core::event::{DomainEvent, StoredPayload};
use jitney_core::personal::collect;
use jitney_sourcing::{Aggregate, Events};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// An aggregate that these events have happened to, in their order.
#[must_use = "the test is in `when(…)` or `then_state(…)`"]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut state = A::default();
    events.into_iter().for_each(|event| state.evolve(&event));
    Given { state }
}

/// An aggregate that has a past.
#[derive(Debug, Clone)]
pub struct Given<A> {
    state: A,
}

impl<A: Aggregate> Given<A> {
    /// Has it decide on `command`.
    pub fn when(self, command: A::Command) -> When<A> {
        let decided = self.state.decide(command).map(Events::into_vec);
        When { state: self.state, decided }
    }

    /// Looks at the state that the events have led to.
    pub fn then_state(self, look: impl FnOnce(&A)) -> Self {
        look(&self.state);
        self
    }
}

/// What an aggregate has decided.
#[derive(Debug, Clone)]
#[must_use = "the test is in `then(…)`"]
pub struct When<A: Aggregate> {
    state: A,
    decided: Result<Vec<A::Event>, A::Error>,
}

impl<A: Aggregate> When<A> {
    /// Then `events` follow, these and no others, in this order; the aggregate has them behind it then.
    ///
    /// # Panics
    ///
    /// When other events follow, with the difference; and when the aggregate refused.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = A::Event>) -> Given<A> {
        let expected = text(&events.into_iter().collect::<Vec<_>>());
        let When { mut state, decided } = self;
        // A panic in a closure would point here, and not at the test.
        let decided = match decided {
            Ok(decided) => decided,
            Err(refusal) => panic!("it is refused: {refusal}\n{refusal:?}"),
        };
        let found = text(&decided);
        assert!(
            expected == found,
            "other events follow (- expected, + decided)\n{}",
            diff(&expected, &found)
        );
        decided.iter().for_each(|event| state.evolve(&through_a_store(event)));
        Given { state }
    }

    /// Then nothing follows.
    ///
    /// # Panics
    ///
    /// When events follow, or the aggregate refused.
    #[track_caller]
    pub fn then_nothing(self) -> Given<A> {
        self.then([])
    }

    /// Then the aggregate refuses with `refusal`.
    ///
    /// # Panics
    ///
    /// When it refuses with something else, or events follow.
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a test writes the refusal where it stands")]
    pub fn then_refused(self, refusal: A::Error)
    where
        A::Error: PartialEq,
    {
        self.then_refused_as(|found| {
            assert!(*found == refusal, "refused with {found:?}, not with {refusal:?}")
        });
    }

    /// Then the aggregate refuses, with what `look` is content with.
    ///
    /// # Panics
    ///
    /// When events follow; and when `look` does.
    #[track_caller]
    pub fn then_refused_as(self, look: impl FnOnce(&A::Error)) {
        match &self.decided {
            Err(refusal) => look(refusal),
            Ok(events) => panic!("it is not refused; these events follow:\n{}", text(events)),
        }
    }
}

/// One line an event's type, and its payload below.
fn text<E: DomainEvent>(events: &[E]) -> String {
    let lines = events.iter().map(|event| {
        let payload = serde_json::from_slice::<Value>(&json(event)).expect("a payload was written as JSON");
        let payload = serde_json::to_string_pretty(&payload).expect("a value can be written");
        format!("{} {payload}\n", event.event_type())
    });
    lines.collect()
}

fn json<E: DomainEvent>(event: &E) -> Vec<u8> {
    let mut json = Vec::new();
    // What is compared, and shown where a test fails, stays in the test.
    let (written, _) = collect(|| event.write_json(&mut json));
    written.unwrap_or_else(|error| panic!("event `{}` cannot be written: {error}", event.event_type()));
    json
}

fn through_a_store<E: DomainEvent>(event: &E) -> E {
    let (event_type, json) = (event.event_type(), json(event));
    let payload = StoredPayload::new(event_type.name(), event_type.version(), &json);
    E::decode(&payload).unwrap_or_else(|error| {
        let error = jitney_core::error_chain(&error);
        panic!("event `{event_type}` cannot be read again once it is stored: {error}")
    })
}

/// The lines of both, with a mark before those that only one of them has.
pub(crate) fn diff(expected: &str, found: &str) -> impl fmt::Display {
    let diff = TextDiff::from_lines(expected, found);
    let lines = diff.iter_all_changes().map(|change| {
        let mark = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        format!("{mark} {change}")
    });
    lines.collect::<String>()
}
