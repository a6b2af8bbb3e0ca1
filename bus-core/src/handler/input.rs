//! The first argument of a handler: its event.

use super::Batch;
use crate::event::{DecodeError, DomainEvent, EventType};
use crate::{Envelope, RawEvent};

/// What a handler can take as its first argument.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no event that a handler can take",
    label = "must come first and be an event",
    note = "the first argument of a handler is `T`, `Envelope<T>`, `Batch<T>` (where `T` derives `DomainEvent`) or `RawEvent`"
)]
pub trait HandlerInput: Sized + Send {
    /// Whether it takes several events at once.
    const IS_BATCH: bool = false;

    /// The event types that it reads.
    fn accepts() -> Accepts;

    /// Reads the events: exactly one, unless [`IS_BATCH`](Self::IS_BATCH).
    ///
    /// # Errors
    ///
    /// When a payload does not have the shape of its type.
    fn read(events: &[RawEvent]) -> Result<Self, DecodeError>;
}

/// Which event types a handler reads.
#[derive(Debug, Clone)]
pub enum Accepts {
    /// These: the current ones first, then the old ones that are upcast.
    Types(Vec<&'static EventType>),
    /// Every type of the topics that its application reads.
    Everything,
}

fn the_event(events: &[RawEvent]) -> &RawEvent {
    events.first().expect("a handler is called with at least one event")
}

#[diagnostic::do_not_recommend]
impl<E: DomainEvent> HandlerInput for E {
    fn accepts() -> Accepts {
        Accepts::Types(E::accepts())
    }

    fn read(events: &[RawEvent]) -> Result<Self, DecodeError> {
        the_event(events).decode()
    }
}

#[diagnostic::do_not_recommend]
impl<E: DomainEvent> HandlerInput for Envelope<E> {
    fn accepts() -> Accepts {
        Accepts::Types(E::accepts())
    }

    fn read(events: &[RawEvent]) -> Result<Self, DecodeError> {
        the_event(events).to_envelope()
    }
}

#[diagnostic::do_not_recommend]
impl HandlerInput for RawEvent {
    fn accepts() -> Accepts {
        Accepts::Everything
    }

    fn read(events: &[RawEvent]) -> Result<Self, DecodeError> {
        Ok(the_event(events).clone())
    }
}

#[diagnostic::do_not_recommend]
impl<E: DomainEvent> HandlerInput for Batch<E> {
    const IS_BATCH: bool = true;

    fn accepts() -> Accepts {
        Accepts::Types(E::accepts())
    }

    fn read(events: &[RawEvent]) -> Result<Self, DecodeError> {
        events.iter().map(RawEvent::to_envelope).collect::<Result<_, _>>().map(Batch::new)
    }
}
