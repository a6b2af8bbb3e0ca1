//! RustStream with an envelope: the same work as the floor, done through RustStream.
//!
//! RustStream carries no envelope of its own, so its user writes the type. The publisher wraps each
//! order as the floor does and sends the two headers; the subscriber takes the envelope as an owned
//! value, which is what the codec decodes, in one pass with the payload in it.

use std::hint::black_box;
use std::sync::Arc;

use ruststream::memory::MemoryPublisher;
use ruststream::memory::prelude::*;

use crate::contestant::{Contestant, Failure, Workload};
use crate::envelope::{Envelopes, Owned};
use crate::ruststream_memory::{self, CHANNEL};
use crate::ruststream_message::headers;
use crate::tally::{Pace, Tally};

pub const CONTESTANT: Contestant = Contestant {
    name: "ruststream-envelope",
    equal_work: "floor",
    does: "RustStream 0.7.7 as above, sequential, with the floor's envelope as the message type and its \
           two headers: written in one pass, read in one pass as an owned value",
    run: |work| Box::pin(ruststream_memory::run(work, |scope| drop(scope.include(enveloped)), publish)),
};

#[subscriber("orders")]
async fn enveloped(envelope: &Owned, ctx: &mut Context<'_, (), Arc<Tally>>) -> HandlerOutcome {
    ctx.state().handle(&black_box(envelope).payload);
    HandlerOutcome::ack()
}

async fn publish(work: Arc<Workload>, publisher: MemoryPublisher, mut pace: Pace) -> Result<(), Failure> {
    let mut envelopes = Envelopes::seeded(1);
    for (number, order) in work.orders() {
        pace.before(number).await;
        let envelope = envelopes.wrap(order);
        publisher.message(&envelope).with_headers(headers(&envelope, 0)).to(CHANNEL).publish().await?;
    }
    Ok(())
}
