//! What the Kafka transport promises, while everything around it breaks: processes are killed in mid-batch, brokers are
//! killed and frozen, connections are cut, disks are full.
//!
//! Applications run on a transport that writes down what passes through it; the records of all processes are merged, and
//! each run is held against the properties of [`history`](jitney_testkit::history). A run prints one line with its numbers
//! and the point at which the fault landed. `JITNEY_FAULTS_REPEAT=5` repeats each scenario with the seeds 1 to 5.

#![allow(clippy::unwrap_used)]

#[path = "faults"]
mod faults {
    pub(crate) mod child;
    pub(crate) mod disturbed;
    pub(crate) mod events;
    pub(crate) mod ledger;
    pub(crate) mod load;
    mod log;
    pub(crate) mod producers_killed;
    pub(crate) mod run;
    pub(crate) mod watched;
}

#[path = "kafka_client"]
mod kafka_client {
    pub(crate) mod answered;
}

mod kafka_faults {
    pub(crate) mod backend;
    mod reader;
    mod scenario;

    mod brokers_down;
    mod consumers_killed;
    mod exactly_once;
    mod full_disk;
    mod large_messages;
    mod missing_topics;
    mod network;
    mod producers_killed;
    mod rebalances;
    mod slow_handlers;
}

use kafka_faults::backend;
