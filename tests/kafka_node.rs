//! The article's own stack on the other end of the topics: kafkajs publishes what our handlers take, and reads what we
//! publish.

#![allow(clippy::unwrap_used)]

#[path = "peers"]
mod peers {
    pub(crate) mod article;
}

mod kafka_node {
    mod exchange;
    #[path = "../node/install.rs"]
    mod install;
    #[path = "../node/output.rs"]
    mod output;
    mod partitions;
    mod peer;
    mod sequenced;
}
