//! The Kafka backend against a real broker, a module for each subject. What holds for every backend is in the conformance
//! suite; faults have a suite of their own.

#![allow(clippy::unwrap_used)]

#[path = "kafka_client"]
mod kafka_client {
    pub(crate) mod answered;
}

mod kafka {
    mod admin;
    mod bad_input;
    mod both_buses;
    mod broker;
    mod by_hand;
    mod delayed_retries;
    mod errors;
    mod membership;
    mod service;
    mod transactions;
    mod wire;
}
