//! The event store on Kafka, as far as the suite for all stores does not say it.

#![allow(clippy::unwrap_used)]

mod kafka_store {
    mod damage;
    mod opening;
    mod owners;
    mod rereading;
    mod store;
    mod wire;
}
