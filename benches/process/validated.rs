//! Jitney with a layer that holds raw events against their schemas: what it costs typed ones, which it does not look at.

use std::sync::Arc;

use jitney::contract::{Events, Validation};
use jitney::prelude::*;
use serde_json::json;

use crate::body::OrderCreated;
use crate::contestant::{Contestant, Failure, Lap, Workload};
use crate::jitney::{memory, run_on};

pub const CONTESTANT: Contestant = Contestant {
    name: "jitney-validation",
    equal_work: "floor",
    does: "the same, on a bus with a layer of schemas for raw events",
    run: |work| Box::pin(run(work)),
};

async fn run(work: Arc<Workload>) -> Result<Lap, Failure> {
    let [event_type] = OrderCreated::TYPES else { return Err("the event has several types".into()) };
    let (name, version) = (event_type.name(), event_type.version());
    let schema = json!({ "type": "object" });
    let validation =
        Validation::of(Events::new())?.and_schema(event_type.aggregate(), name, version, &schema)?;
    let bus = Bus::builder(memory(&work)).layer(validation).build();
    run_on(bus, work).await
}
