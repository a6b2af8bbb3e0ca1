//! The aggregate that the checks of repositories work with.

use std::convert::Infallible;

use jitney_sourcing::{Aggregate, Events};
use serde::{Deserialize, Serialize};

use super::content::Incremented;

/// Counts what it is told to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) total: u64,
}

/// Count `by` more.
#[derive(Debug, Clone)]
pub(super) struct Increment {
    pub(super) by: u64,
}

impl Aggregate for Counter {
    type Event = Incremented;
    type Command = Increment;
    type Error = Infallible;

    fn decide(&self, Increment { by }: Increment) -> Result<Events<Incremented>, Infallible> {
        Ok(Incremented { by }.into())
    }

    fn evolve(&mut self, Incremented { by }: &Incremented) {
        self.total += by;
    }
}
