//! The project's own commands, run as `cargo xtask COMMAND`.

mod bench;
mod cold_build;
mod command;
mod error;
mod fuzz;
mod libtest;
mod report;
mod runner;
mod steps;
mod suite;
mod tally;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;
use crate::steps::Scope;

/// The project's own commands: tests, benches and fuzzing.
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
    /// All steps run even after one failed, so that one run shows everything. A step whose tool is not
    /// installed is skipped, with the reason.
    ///
    /// The last line of the output reads `N passed, N failed, N skipped`: tests that passed, failed tests
    /// plus steps that failed for another reason, and tests that were skipped. The exit code is 0 only if
    /// nothing failed and at least one test ran.
    #[command(verbatim_doc_comment)]
    Test(TestArgs),
    /// Run one bench, or list the benches
    Bench(BenchArgs),
    /// Fuzz one target for some time, or list the targets
    Fuzz(FuzzArgs),
}

#[derive(Args)]
struct TestArgs {
    /// Only format, lints and tests: leave out docs, licences, the smoke run and the fuzz build
    #[arg(long)]
    quick: bool,
    /// Also check that `benches/peers` builds; it has heavy dependencies of its own
    #[arg(long)]
    peers: bool,
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
        Task::Test(args) => suite::run(root, Scope { quick: args.quick, peers: args.peers }),
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
