//! Parcels with the names of those who get them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use jitney::Id;
use jitney::event::{DecodeError, EventType, StoredPayload};
use jitney::prelude::*;
use jitney::sourcing::process::{Actions, ProcessContext, ProcessManager};
use jitney::sourcing::{Aggregate, Append, Events, Expected, NewEvent, StreamId};
use jitney_testkit::mirror::PersonalText;

/// What must be nowhere.
pub(crate) const NAME: &str = "Maria Anders";

/// What it is in the writing of the mirror.
pub(crate) const MIRRORED: &str = "srednA airaM";

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel)]
pub(crate) struct Addressed {
    pub(crate) parcel: String,
    pub(crate) name: PersonalText,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel)]
pub(crate) struct Weighed {
    pub(crate) parcel: String,
    pub(crate) grams: u64,
}

/// What a process sends.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Courier", id = parcel)]
pub(crate) struct Deliver {
    pub(crate) parcel: String,
    pub(crate) name: PersonalText,
}

/// What it would send to undo that.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Courier", id = parcel)]
pub(crate) struct CallBack {
    pub(crate) parcel: String,
    pub(crate) name: PersonalText,
}

/// `Addressed`, by a program that takes the name for something else, and is told by serde which text it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Misread {
    parcel: String,
    name: HashMap<String, Ages>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ages {
    value: u64,
}

impl DomainEvent for Misread {
    const TYPES: &'static [EventType] = Addressed::TYPES;

    fn event_type(&self) -> &'static EventType {
        &Self::TYPES[0]
    }

    fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
        payload.read()
    }
}

pub(crate) fn name_of(subject: &str) -> PersonalText {
    PersonalText::of(subject, NAME)
}

pub(crate) fn addressed(parcel: &str, subject: &str) -> Addressed {
    Addressed { parcel: parcel.to_owned(), name: name_of(subject) }
}

pub(crate) fn stream(parcel: &str) -> StreamId {
    StreamId::new("Parcel", parcel)
}

/// An append of one event under the id.
pub(crate) fn append<E: Keyed>(id: &str, event: &E) -> Append {
    let event_id = Id::from(id);
    let new = NewEvent::new(event_id, jitney::Env::system().now(), event).unwrap();
    Append::to(stream(&event.aggregate_id()), Expected::Any, [new])
}

/// Knows who gets it.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) name: Option<PersonalText>,
}

impl Aggregate for Parcel {
    type Event = Addressed;
    type Command = Addressed;
    type Error = Infallible;

    fn decide(&self, command: Addressed) -> Result<Events<Addressed>, Infallible> {
        Ok(command.into())
    }

    fn evolve(&mut self, event: &Addressed) {
        self.name = Some(event.name.clone());
    }
}

#[derive(OneOf)]
pub(crate) enum Followed {
    Addressed(Addressed),
    Weighed(Weighed),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Deadline {
    Delivery,
    /// Which is no deadline that can be kept.
    Of(PersonalText),
}

/// Has each parcel delivered, once it is weighed, and says it in the state.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Courier {
    pub(crate) name: Option<PersonalText>,
    pub(crate) grams: u64,
}

/// What makes it set a deadline that names somebody.
pub(crate) const TOO_PERSONAL: u64 = 13;

/// A parcel of which nothing is sent.
pub(crate) const QUIET: &str = "p-quiet";

impl ProcessManager for Courier {
    type Input = Followed;
    type Deadline = Deadline;
    type Error = Infallible;
    const NAME: &'static str = "courier";

    fn key(input: &Followed) -> Option<String> {
        let (Followed::Addressed(Addressed { parcel, .. }) | Followed::Weighed(Weighed { parcel, .. })) =
            input;
        Some(parcel.clone())
    }

    fn starts(input: &Followed) -> bool {
        matches!(input, Followed::Addressed(_))
    }

    fn handle(&mut self, input: Followed, cx: &ProcessContext<'_>) -> Result<Actions<Deadline>, Infallible> {
        let parcel = cx.key().to_owned();
        Ok(match input {
            Followed::Addressed(Addressed { name, .. }) => {
                self.name = Some(name.clone());
                if parcel == QUIET {
                    return Ok(Actions::new());
                }
                let deliver = Deliver { parcel: parcel.clone(), name: name.clone() };
                let actions = Actions::new().schedule(Deadline::Delivery, Duration::from_secs(86_400));
                actions.send(&deliver).compensate_with(&CallBack { parcel, name })
            }
            Followed::Weighed(Weighed { grams: TOO_PERSONAL, .. }) => {
                let name = self.name.clone().unwrap();
                Actions::new().schedule(Deadline::Of(name), Duration::from_secs(1))
            }
            Followed::Weighed(Weighed { grams, .. }) => {
                self.grams = grams;
                Actions::new().compensate()
            }
        })
    }

    fn on_deadline(&mut self, _: Deadline, _: &ProcessContext<'_>) -> Result<Actions<Deadline>, Infallible> {
        Ok(Actions::new())
    }
}
