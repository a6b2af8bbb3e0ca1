//! From a publish to its handler in one process, on the memory bus, through the whole library and always through
//! bytes, beside a loop that does equal work on a channel of tokio.
//!
//! ```text
//! cargo bench --bench process                  # events per second, instructions and allocations per event
//! cargo bench --bench process -- --flat        # resident memory over five million events
//! cargo bench --bench process --features validation   # beside a bus with a layer that does not look at typed events
//! cargo bench --bench process -- --help
//! ```
//!
//! `benches/peers` is the same comparison with other libraries in it; both share the files in `benches/process/`.

#![allow(clippy::disallowed_methods, reason = "a bench measures: it reads the clock and spawns by itself")]
#![allow(unreachable_pub, reason = "the files are modules of two binaries")]
#![cfg_attr(
    test,
    allow(dead_code, unused_imports, reason = "there is no test harness here; the peers have it")
)]

#[path = "process/body.rs"]
mod body;
#[path = "process/command.rs"]
mod command;
#[path = "process/contestant.rs"]
mod contestant;
#[path = "process/contestants.rs"]
mod contestants;
#[path = "process/counts.rs"]
mod counts;
#[path = "process/envelope.rs"]
mod envelope;
#[path = "process/flat.rs"]
mod flat;
#[path = "process/floor.rs"]
mod floor;
#[path = "process/jitney.rs"]
mod jitney;
#[path = "process/measure.rs"]
mod measure;
#[path = "process/memory.rs"]
mod memory;
#[path = "process/quartiles.rs"]
mod quartiles;
#[path = "process/report.rs"]
mod report;
#[path = "process/single.rs"]
mod single;
#[path = "process/table.rs"]
mod table;
#[path = "process/tally.rs"]
mod tally;
#[cfg(feature = "validation")]
#[path = "process/validated.rs"]
mod validated;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() {
        return ExitCode::SUCCESS; // `cargo test --benches`: `cargo bench` says `--bench`
    }
    arguments.retain(|argument| argument != "--bench");
    match &arguments[..] {
        [flat] if flat == "--flat" => flat::run(),
        _ => command::run(arguments.into_iter()),
    }
}
