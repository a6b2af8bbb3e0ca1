//! The handlers of an application as a function of AWS Lambda: a process of its own, which asks a Lambda Runtime API of the
//! test's for its invocations.

#![allow(clippy::unwrap_used)]

mod lambda {
    mod apps;
    mod function;
    mod invocations;
    #[path = "../eventbridge/peer.rs"]
    #[allow(dead_code)]
    mod peer;
    mod runtime_api;
    #[path = "../eventbridge/server.rs"]
    #[allow(dead_code)]
    mod server;
    mod told;

    mod batches;
    mod events;
    mod fifo;
    mod on_aws;
    mod starting;
}
