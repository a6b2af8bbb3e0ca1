//! Passing events on from one bus to another.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::codec::JsonPayload;
use crate::event::DomainEvent;
use crate::handler::{Accepts, Context, Handler, HandlerEntry, HandlerSpec, IntoOutcome, Reply};
use crate::message::Topic;
use crate::publish::{Bus, Draft};
use crate::{Error, RawEvent};

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
        HandlerEntry {
            spec: HandlerSpec::new(format!("forward {} to {}", self.name, self.bus)).group(group),
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
        pass_on(&self.0, event).map(|result| Reply::All(result.into_outcome())).boxed()
    }
}

async fn pass_on(target: &Bus, event: &RawEvent) -> Result<(), Error> {
    let message = event.message();
    let payload = JsonPayload(event.payload_json().to_vec().into());
    let key = message.key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned());
    let topic: Topic = message.topic.clone();
    let outbound = target.encode(Draft { head: event.head().clone(), topic, key, payload: &payload }).await?;
    target.transport().publish_one(outbound).await.into_result()
}
