//! The guarantees of dispatching, a module for each: what a handler may rely on, whatever fails around it.

#![allow(clippy::unwrap_used)]

#[path = "../examples/quickstart.rs"]
#[allow(dead_code, reason = "it is a program")]
mod quickstart;

mod dispatch {
    mod backpressure;
    mod batch;
    mod breaker;
    mod buses;
    mod dead_letters;
    mod drain;
    mod events;
    mod exactly_once;
    mod groups;
    mod hooks_and_layers;
    mod idempotency;
    mod lanes;
    mod outcome;
    mod outputs;
    mod preparation;
    mod publish;
    mod publish_layers;
    mod raw_events;
    mod retry;
    mod revoke;
    mod run_batch;
    mod scripted;
    mod startup_checks;
    mod versions;
    mod witness;
}
