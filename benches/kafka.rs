//! Publishing to a real Kafka and consuming from it, beside loops over the raw client that do equal work.
//!
//! ```text
//! cargo bench --features kafka --bench kafka                     # a million events, 11 rounds, interleaved
//! cargo bench --features kafka --bench kafka -- --events 100000 --rounds 3
//! cargo bench --features kafka --bench kafka -- --lanes          # slow handlers on one partition
//! ```
//!
//! A broker of its own is started for it, unless `JITNEY_KAFKA_URL` names one. All contestants have the same settings of
//! librdkafka, publish the same typed events of about 400 bytes as JSON in the same envelope with the same headers, and read
//! them back into the type. Consuming is timed from the first event to the last, so that joining a group does not count.
//! CPU is that of the whole process, librdkafka's threads included.
//!
//! `benches/peers` is the same comparison with another library in it; both share the files in `benches/brokers/`
//! and `benches/kafka/`.

#![allow(clippy::disallowed_methods, reason = "a bench measures: it reads the clock and sleeps by itself")]
#![allow(unreachable_pub, reason = "the files are modules of several binaries")]
#![cfg_attr(
    test,
    allow(dead_code, unused_imports, reason = "there is no test harness here; the peers have it")
)]

#[path = "process/body.rs"]
mod body;
#[path = "kafka/broker.rs"]
mod broker;
#[path = "brokers/command.rs"]
mod command;
#[path = "brokers/contestant.rs"]
mod contestant;
#[path = "process/envelope.rs"]
mod envelope;
#[path = "brokers/jitney.rs"]
mod jitney;
#[path = "kafka/lanes.rs"]
mod lanes;
#[path = "brokers/measure.rs"]
mod measure;
#[path = "process/quartiles.rs"]
mod quartiles;
#[path = "kafka/raw.rs"]
mod raw;
#[path = "brokers/report.rs"]
mod report;
#[path = "kafka/settings.rs"]
mod settings;
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
    if arguments == ["--lanes"] {
        return command::exit(lanes::run());
    }
    command::run(
        &arguments,
        &[&raw::CONTESTANT, &raw::WITH_HEADERS, &jitney::CONTESTANT, &jitney::TWO_MEMBERS],
    )
}
