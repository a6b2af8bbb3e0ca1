//! Publishing to a broker and consuming from it, beside loops over lapin that do equal work.
//!
//! ```text
//! cargo bench --features rabbitmq --bench rabbitmq                     # 100,000 events, 11 rounds, interleaved
//! cargo bench --features rabbitmq --bench rabbitmq -- --events 10000 --rounds 3
//! ```
//!
//! The server for tests is started for it, unless one runs or `JITNEY_RABBITMQ_URL` names one. What is measured, and how, is
//! shared with `benches/kafka.rs`, and told there. Each round has a group of its own, which is filled before it is timed.

#![allow(clippy::disallowed_methods, reason = "a bench measures: it reads the clock and sleeps by itself")]
#![allow(unreachable_pub, reason = "the files are modules of several binaries")]
#![cfg_attr(
    test,
    allow(dead_code, unused_imports, reason = "there is no test harness here; the peers have it")
)]

#[path = "process/body.rs"]
mod body;
#[path = "rabbitmq/broker.rs"]
mod broker;
#[path = "brokers/command.rs"]
mod command;
#[path = "brokers/contestant.rs"]
mod contestant;
#[path = "process/envelope.rs"]
mod envelope;
#[path = "brokers/jitney.rs"]
mod jitney;
#[path = "brokers/measure.rs"]
mod measure;
#[path = "process/quartiles.rs"]
mod quartiles;
#[path = "rabbitmq/raw.rs"]
mod raw;
#[path = "brokers/report.rs"]
mod report;
#[path = "process/table.rs"]
mod table;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() {
        return ExitCode::SUCCESS; // `cargo test --benches`: `cargo bench` says `--bench`
    }
    arguments.retain(|argument| argument != "--bench");
    command::run(&arguments, &[&raw::CONTESTANT, &jitney::CONTESTANT])
}
