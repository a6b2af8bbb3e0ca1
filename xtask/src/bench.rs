//! The benches by name.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::cold_build;
use crate::command::CommandLine;
use crate::error::Error;
use crate::runner;

struct Bench {
    name: &'static str,
    about: &'static str,
    args: &'static str,
}

const BENCHES: [Bench; 11] = [
    Bench {
        name: "process",
        about: "from a publish to its handler in one process; with `-- --flat`, memory over five million events",
        args: "bench --bench process",
    },
    Bench {
        name: "dispatch",
        about: "slow handlers: what the dispatcher adds to their waiting",
        args: "bench --bench dispatch",
    },
    Bench {
        name: "kafka",
        about: "publishing to a real Kafka and consuming from it, beside the raw client; with `-- --lanes`, slow handlers",
        args: "bench --features kafka --bench kafka",
    },
    Bench {
        name: "rabbitmq",
        about: "the same on a real RabbitMQ",
        args: "bench --features rabbitmq --bench rabbitmq",
    },
    Bench {
        name: "eventbridge",
        about: "the same on a server that stands in for EventBridge and SQS",
        args: "bench --features eventbridge --bench eventbridge",
    },
    Bench {
        name: "store",
        about: "the event store on PostgreSQL beside raw sqlx and other libraries; heavy dependencies, a workspace of its own; \
                `-- --seconds N` for each contestant and kind of work, `-- --json`",
        args: "run --release --manifest-path benches/peers/Cargo.toml --features store --bin store",
    },
    Bench {
        name: "store-race",
        about: "writers that make it hard for a reader of the event store on PostgreSQL; `-- --seconds 120` for longer",
        args: "bench --features postgres --bench postgres_race",
    },
    Bench {
        name: "projection",
        about: "a projection that catches up into a table on PostgreSQL, beside raw sqlx; with `-- --flat`, memory over a rebuild \
                of five million events",
        args: "bench --features postgres --bench projection",
    },
    Bench {
        name: "peers",
        about: "the same work on other libraries; heavy dependencies, a workspace of its own",
        args: "run --release --manifest-path benches/peers/Cargo.toml",
    },
    Bench {
        name: "peers-kafka",
        about: "the bench `kafka` with another library in it; heavy dependencies, a workspace of its own",
        args: "run --release --manifest-path benches/peers/Cargo.toml --features kafka --bin kafka",
    },
    Bench {
        name: COLD_BUILD,
        about: "a build of the default features from nothing: seconds and crates",
        args: cold_build::BUILD,
    },
];

const COLD_BUILD: &str = "build";

/// Prints each bench with one line on what it measures and its command.
pub(crate) fn list(root: &Path) -> Result<ExitCode, Error> {
    write_list(root, &mut io::stdout()).map_err(Error::Print)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the bench `name` with `args` passed through.
pub(crate) fn run(root: &Path, name: &str, args: &[String]) -> Result<ExitCode, Error> {
    if name == COLD_BUILD {
        return cold_build::run(root);
    }
    let line = command(root, name, args)?;
    eprintln!("==> {line}");
    let status = runner::run(&line)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(root: &Path, name: &str, args: &[String]) -> Result<CommandLine, Error> {
    let bench = BENCHES.iter().find(|bench| bench.name == name).ok_or_else(|| Error::Unknown {
        kind: "bench",
        name: name.to_owned(),
        known: BENCHES.iter().map(|bench| bench.name.to_owned()).collect(),
    })?;
    let line = CommandLine::cargo(bench.args, root);
    Ok(if args.is_empty() { line } else { line.with_args(["--"]).with_args(args) })
}

fn write_list(root: &Path, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "benches (run one with `cargo xtask bench NAME [-- ARGS]`):")?;
    for bench in &BENCHES {
        writeln!(out, "  {:12}{}", bench.name, bench.about)?;
        writeln!(out, "  {:12}{}", "", CommandLine::cargo(bench.args, root))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bench_runs_by_name_and_passes_arguments_through() {
        let root = Path::new(".");
        let plain = command(root, "process", &[]).unwrap();
        assert_eq!(plain.to_string(), "cargo bench --bench process");
        let peers = command(root, "peers", &["--events".into(), "10".into()]).unwrap();
        assert_eq!(
            peers.to_string(),
            "cargo run --release --manifest-path benches/peers/Cargo.toml -- --events 10"
        );
        let peers = command(root, "peers-kafka", &["--rounds".into(), "1".into()]).unwrap();
        assert_eq!(
            peers.to_string(),
            "cargo run --release --manifest-path benches/peers/Cargo.toml --features kafka --bin kafka -- --rounds 1"
        );
    }

    #[test]
    fn an_unknown_bench_names_the_known_ones() {
        let error = command(Path::new("."), "x", &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            "no bench is named `x`; choose one of: process, dispatch, kafka, rabbitmq, eventbridge, store, store-race, projection, peers, peers-kafka, build"
        );
    }

    #[test]
    fn the_list_names_every_bench_and_its_command() {
        let mut text = Vec::new();
        write_list(Path::new("."), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        for bench in &BENCHES {
            assert!(text.contains(bench.name) && text.contains(bench.args), "{text}");
        }
    }
}
