//! Compares event buses by what it takes from a publish to its handler, in one process.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//! ```
//!
//! Every contestant publishes the same typed events (an order of about 400 bytes as JSON, a
//! thousand keys) to one async handler that folds a checksum. They run interleaved, so that a
//! change of the machine's mood falls on all of them, each on a tokio runtime of its own and all on
//! the same kind: one current thread, or `--threads 2`. A run in which any event was not handled
//! exactly once is an error, not a number.
//!
//! What is measured, and how, is shared with `benches/process.rs`; how to add a contestant is told in
//! `benches/process/contestant.rs`. The binary `kafka` compares them on a real Kafka.

#[path = "../../process/body.rs"]
mod body;
#[path = "../../process/command.rs"]
mod command;
#[path = "../../process/contestant.rs"]
mod contestant;
mod contestants;
#[path = "../../process/counts.rs"]
mod counts;
#[path = "../../process/envelope.rs"]
mod envelope;
#[path = "../../process/floor.rs"]
mod floor;
mod floor_payload;
#[path = "../../process/jitney.rs"]
mod jitney;
#[path = "../../process/measure.rs"]
mod measure;
#[path = "../../process/memory.rs"]
mod memory;
#[path = "../../process/quartiles.rs"]
mod quartiles;
#[path = "../../process/report.rs"]
mod report;
mod ruststream_envelope;
mod ruststream_memory;
mod ruststream_message;
#[path = "../../process/single.rs"]
mod single;
#[path = "../../process/table.rs"]
mod table;
#[path = "../../process/tally.rs"]
mod tally;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    command::run(env::args().skip(1))
}
