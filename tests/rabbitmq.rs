//! The RabbitMQ backend against a real server, a module for each subject. What holds for every backend is in the conformance
//! suite.

#![allow(clippy::unwrap_used)]

mod rabbitmq {
    mod consumer_timeout;
    mod other_hands;
    mod partitions;
    mod reader;
    mod reconnection;
    mod refused;
    mod server;
    mod unroutable;
}
