//! What the RabbitMQ transport promises, while everything around it breaks: processes are killed in mid-batch, the server is
//! killed, frozen and out of memory, connections are cut, slowed and stalled.
//!
//! Applications run on a transport that writes down what passes through it; the records of all processes are merged, and
//! each run is held against the properties of [`history`](jitney_testkit::history). A run prints one line with its numbers
//! and the point at which the fault landed. `JITNEY_FAULTS_REPEAT=5` repeats each scenario with the seeds 1 to 5.

#![allow(clippy::unwrap_used)]

#[path = "faults"]
mod faults {
    pub(crate) mod child;
    pub(crate) mod consumers_killed;
    pub(crate) mod disturbed;
    pub(crate) mod events;
    pub(crate) mod ledger;
    pub(crate) mod load;
    mod log;
    pub(crate) mod network;
    pub(crate) mod producers_killed;
    pub(crate) mod run;
    pub(crate) mod scenario;
    pub(crate) mod watched;
}

mod rabbitmq_faults {
    pub(crate) mod backend;
    mod scenario;

    mod consumers_killed;
    mod members_leave;
    mod memory_alarm;
    mod network;
    mod outputs;
    mod producers_killed;
    mod server_down;
}

use rabbitmq_faults::backend;
