//! Passing events on from one bus to another.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::event::DomainEvent;
use crate::handler::{Accepts, Context, Handler, HandlerEntry, HandlerSpec, IntoOutcome, Reply};
use crate::publish::Bus;

/// Events that are passed on.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) bus: String,
    accepts: Accepts,
    name: &'static str,
}

impl Forward {
    /// Every `E`, to the bus called `bus`.
    pub(super) fn of<E: DomainEvent>(bus: &str) -> Self {
        let accepts = Accepts::Types(E::accepts());
        Forward {
            bus: bus.to_owned(),
            accepts,
            name: E::TYPES.first().map_or("nothing", |first| first.name()),
        }
    }

    /// The handler that does it: all forwards to one bus are one group.
    pub(super) fn into_handler(self, target: &Bus) -> HandlerEntry {
        let group = format!("forward.{}", self.bus);
        let mut spec = HandlerSpec::new(format!("forward {} to {}", self.name, self.bus)).group(group);
        spec.passes_on = true;
        HandlerEntry {
            spec,
            accepts: self.accepts,
            is_batch: false,
            requirements: Vec::new(),
            handler: Arc::new(ForwardTo(target.clone())),
        }
    }
}

struct ForwardTo(Bus);

impl Handler for ForwardTo {
    fn handle<'a>(&'a self, cx: Context<'a>) -> BoxFuture<'a, Reply> {
        let event = cx.event();
        self.0.republish(event).map(|result| Reply::All(result.into_outcome())).boxed()
    }
}
