//! What Jitney does with EventBridge beyond the conformance suite, on a server that stands in for AWS, a module for each subject.
//! What that server does not do as AWS does is tested in `bus-eventbridge/tests/aws`, with AWS's documented answers.

#![allow(clippy::unwrap_used)]

mod eventbridge {
    mod admin;
    mod foreign;
    mod peer;
    mod plan;
    mod server;
    mod service;
    mod wire;
}
