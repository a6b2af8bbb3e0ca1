//! The events that a scenario expects.

use jitney_core::Keyed;
use jitney_sourcing::process::OutgoingEvent;

/// Events in their order: nothing `()`, an array or a vector of one type, or a tuple of up to six.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no list of events",
    label = "not a list of events",
    note = "write `[event]` for one, `[first, second]` for several of one type, and `(first, second)` for several types"
)]
pub trait ExpectedEvents {
    /// As they are stored.
    fn outgoing(&self) -> Vec<OutgoingEvent>;
}

fn outgoing<E: Keyed>(event: &E) -> OutgoingEvent {
    OutgoingEvent::new(event).unwrap_or_else(|error| panic!("an expected event cannot be written: {error:?}"))
}

impl<E: Keyed, const N: usize> ExpectedEvents for [E; N] {
    fn outgoing(&self) -> Vec<OutgoingEvent> {
        self.iter().map(outgoing).collect()
    }
}

impl<E: Keyed> ExpectedEvents for Vec<E> {
    fn outgoing(&self) -> Vec<OutgoingEvent> {
        self.iter().map(outgoing).collect()
    }
}

macro_rules! tuples {
    ($($($event:ident)*;)*) => {$(
        impl<$($event: Keyed),*> ExpectedEvents for ($($event,)*) {
            #[allow(non_snake_case)]
            fn outgoing(&self) -> Vec<OutgoingEvent> {
                let ($($event,)*) = self;
                vec![$(outgoing($event)),*]
            }
        }
    )*};
}

tuples! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}
