//! The project's own commands, run as `cargo xtask COMMAND`.

mod bench;
mod brokers;
mod cold_build;
mod command;
mod error;
mod fuzz;
mod libtest;
mod report;
mod runner;
mod servers;
mod steps;
mod suite;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use jitney_test_servers::Server;

use crate::error::Error;
use crate::steps::Scope;

/// The project's own commands: tests, servers for them, benches and fuzzing.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check of the project: format, lints, tests, docs, licences, a smoke run, fuzz build
    ///
    /// The servers that tests need are started first, as `up` does, and ended afterwards if they did not run
    /// before. The run fails if the tests of a broker did not run.
    ///
    /// All steps run even after one failed, so that one run shows everything. A step whose tool is not
    /// installed is skipped, with the reason.
    ///
    /// The last line of the output reads `N passed, N failed, N skipped`: tests that passed, failed tests
    /// plus steps that failed for another reason, and tests that were skipped. The exit code is 0 only if
    /// nothing failed and at least one test ran.
    #[command(verbatim_doc_comment)]
    Test(TestArgs),
    /// Start real servers that stay up until `down`, for tests that need them
    ///
    /// A server whose URL is in the environment is used and not started: `JITNEY_KAFKA_URL`,
    /// `JITNEY_KAFKA3_URL`, `JITNEY_RABBITMQ_URL`, `JITNEY_EVENTBRIDGE_URL`, `JITNEY_POSTGRES_URL`. Else it runs in
    /// containers where a Docker engine answers, else from packages that are fetched once: Kafka on a JDK from 17 on,
    /// RabbitMQ and PostgreSQL as the system's packages, EventBridge as the program ministack on Python 3. `JITNEY_SERVERS_PORT_BASE` moves all of
    /// them to other ports than 29092 and following.
    #[command(verbatim_doc_comment)]
    Up(UpArgs),
    /// End servers that `up` started, and remove their data
    Down(DownArgs),
    /// Print each server's state, URL and processes
    Status,
    /// Run one bench, or list the benches
    Bench(BenchArgs),
    /// Fuzz one target for some time, or list the targets
    Fuzz(FuzzArgs),
}

#[derive(Args)]
struct TestArgs {
    /// Only format, lints and the tests that need no broker: no server is started, nothing is fetched for one, and
    /// docs, licences, the smoke run and the fuzz build are left out
    #[arg(long)]
    memory: bool,
    /// Also check that `benches/peers` builds; it has heavy dependencies of its own
    #[arg(long)]
    peers: bool,
}

#[derive(Args)]
struct UpArgs {
    /// The servers to start: `kafka` (one node), `kafka3` (three nodes), `rabbitmq`, `eventbridge`,
    /// `postgres`
    #[arg(default_value = "kafka")]
    servers: Vec<Server>,
}

#[derive(Args)]
struct DownArgs {
    /// The servers to end; without any, all of them, and what tests left behind
    servers: Vec<Server>,
}

#[derive(Args)]
struct BenchArgs {
    /// The bench to run; without it, the benches are listed
    name: Option<String>,
    /// Arguments for the bench itself
    #[arg(last = true)]
    args: Vec<String>,
}

#[derive(Args)]
struct FuzzArgs {
    /// The target to fuzz; without it, the targets are listed
    target: Option<String>,
    /// How long to fuzz
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.task, &root()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task, root: &Path) -> Result<ExitCode, Error> {
    match task {
        Task::Test(args) => suite::run(root, Scope { memory: args.memory, peers: args.peers }),
        Task::Up(args) => servers::up(&args.servers),
        Task::Down(args) => servers::down(&args.servers),
        Task::Status => servers::status(),
        Task::Bench(BenchArgs { name: None, .. }) => bench::list(root),
        Task::Bench(BenchArgs { name: Some(name), args }) => bench::run(root, name, args),
        Task::Fuzz(FuzzArgs { target: None, .. }) => fuzz::list(root),
        Task::Fuzz(FuzzArgs { target: Some(target), seconds }) => fuzz::run(root, target, *seconds),
    }
}

/// The repository's root: the parent of this package's folder.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_after_two_dashes_go_to_the_bench() {
        let cli = Cli::try_parse_from(["cargo xtask", "bench", "dispatch", "--", "--short", "a"]).unwrap();
        let Task::Bench(args) = cli.task else { panic!("not a bench") };
        assert_eq!(args.name.as_deref(), Some("dispatch"));
        assert_eq!(args.args, ["--short", "a"]);
    }

    #[test]
    fn fuzzing_takes_a_minute_unless_told() {
        let cli = Cli::try_parse_from(["cargo xtask", "fuzz", "envelope"]).unwrap();
        assert!(matches!(cli.task, Task::Fuzz(FuzzArgs { seconds: 60, .. })));
    }
}
