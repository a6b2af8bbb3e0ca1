//! Compares event buses by publishing to a real Kafka and consuming from it.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml --features kafka --bin kafka
//! ```
//!
//! What is measured, and how, is shared with `benches/kafka.rs`, and told there; so are the contestants but RustStream. A run
//! in which any event was not handled exactly once is an error, not a number.

#[path = "../../process/body.rs"]
mod body;
#[path = "../../kafka/broker.rs"]
mod broker;
#[path = "../../brokers/command.rs"]
mod command;
#[path = "../../brokers/contestant.rs"]
mod contestant;
#[path = "../../process/envelope.rs"]
mod envelope;
#[path = "../../brokers/jitney.rs"]
mod jitney;
#[path = "../../brokers/measure.rs"]
mod measure;
#[path = "../../process/quartiles.rs"]
mod quartiles;
#[path = "../../kafka/raw.rs"]
mod raw;
#[path = "../../brokers/report.rs"]
mod report;
mod ruststream_kafka;
mod ruststream_message;
#[path = "../../kafka/settings.rs"]
mod settings;
#[path = "../../process/table.rs"]
mod table;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    command::run(&arguments, &[&raw::CONTESTANT, &jitney::CONTESTANT, &ruststream_kafka::CONTESTANT])
}
