//! The article's own stack on the other end of a bus: AWS's SDK for JavaScript publishes what our handlers take, and reads what we
//! publish.

#![allow(clippy::unwrap_used)]

mod eventbridge_node {
    #[path = "../node/install.rs"]
    mod install;
    #[path = "../node/output.rs"]
    mod output;
    mod peer;
    #[path = "../eventbridge/server.rs"]
    #[allow(dead_code)]
    mod server;

    mod exchange;
    mod many;
}
