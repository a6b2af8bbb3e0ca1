//! The steps of `cargo xtask test`, and which of them apply to a run.

use std::path::Path;

use jitney_test_servers::Server;

use crate::brokers::{self, BROKERS, Broker};
use crate::command::CommandLine;
use crate::fuzz;

/// What was asked of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scope {
    /// Only format, lints and tests, and of these only what needs no real server.
    pub(crate) memory: bool,
    /// Also check the workspace that compares with other crates.
    pub(crate) peers: bool,
}

/// The tools on this machine that a step may need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tools {
    /// `cargo deny` answers.
    pub(crate) cargo_deny: bool,
    /// A nightly toolchain is installed.
    pub(crate) nightly: bool,
}

impl Tools {
    /// Looks for the tools.
    pub(crate) fn find(root: &Path) -> Self {
        Self {
            cargo_deny: CommandLine::cargo("deny --version", root).answer().is_some(),
            nightly: fuzz::nightly_is_installed(root),
        }
    }
}

/// One step of a run.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// What it runs.
    pub(crate) line: CommandLine,
    /// Whether it runs.
    pub(crate) gate: Gate,
}

/// Whether a step runs.
#[derive(Debug)]
pub(crate) enum Gate {
    /// It runs.
    Open,
    /// Servers are started, and ended when the run is over.
    Servers(Vec<Server>),
    /// It runs, and its output is read for the results of tests; those of the brokers given must be among them.
    OpenForTests(&'static [Broker]),
    /// It runs if another command succeeds first; else it is skipped for the reason given.
    After(CommandLine, String),
    /// It cannot run here, for the reason given.
    Skipped(String),
    /// It was not asked for, for the reason given.
    LeftOut(String),
}

/// The steps of a run, in order.
pub(crate) fn plan(root: &Path, scope: Scope, tools: Tools) -> Vec<Step> {
    let cargo = |args| CommandLine::cargo(args, root);
    let packages = || if scope.memory { brokers::left_out() } else { vec!["--all-features".to_owned()] };
    let servers = brokers::servers(BROKERS);
    let mut steps = vec![
        Step { name: "fmt", line: cargo("fmt --all -- --check"), gate: Gate::Open },
        Step {
            name: "clippy",
            line: cargo("clippy --workspace --all-targets")
                .with_args(packages())
                .with_args(["--", "-D", "warnings"]),
            gate: Gate::Open,
        },
        Step {
            name: "servers",
            line: cargo("xtask up").with_args(servers.iter().map(|server| server.name())),
            gate: if servers.is_empty() {
                Gate::LeftOut("no test needs one".into())
            } else {
                Gate::Servers(servers)
            },
        },
        Step {
            name: "test",
            line: cargo("test --workspace --no-fail-fast")
                .with_args(packages())
                .with_args(["--", "--show-output"])
                .with_args([format!("--test-threads={}", test_threads())]),
            gate: Gate::OpenForTests(if scope.memory { &[] } else { BROKERS }),
        },
        Step {
            name: "docs",
            line: cargo("doc --workspace --no-deps --all-features")
                .with_variable("RUSTDOCFLAGS", "-D warnings"),
            gate: Gate::Open,
        },
        Step {
            name: "deny",
            line: cargo("deny --workspace --all-features check licenses bans sources"),
            gate: if tools.cargo_deny { Gate::Open } else { no_cargo_deny() },
        },
        Step {
            name: "advisories",
            line: cargo("deny --workspace --all-features check advisories"),
            gate: if tools.cargo_deny {
                Gate::After(
                    cargo("deny fetch db"),
                    "the advisory database could not be fetched; with a network, `cargo deny fetch db` does"
                        .into(),
                )
            } else {
                no_cargo_deny()
            },
        },
        Step { name: "smoke", line: cargo("run --quiet --example orders -- --json"), gate: Gate::Open },
        Step {
            name: "fuzz",
            line: cargo("+nightly check --manifest-path fuzz/Cargo.toml"),
            gate: if tools.nightly {
                Gate::Open
            } else {
                Gate::Skipped(format!("no nightly toolchain; install it with `{}`", fuzz::INSTALL_NIGHTLY))
            },
        },
        Step {
            name: "peers",
            line: cargo("check --all-features --manifest-path benches/peers/Cargo.toml"),
            gate: if scope.peers {
                Gate::Open
            } else {
                Gate::LeftOut("heavy dependencies; `--peers` adds it".into())
            },
        },
    ];
    if scope.memory {
        for step in steps.iter_mut().filter(|step| !matches!(step.name, "fmt" | "clippy" | "test" | "peers"))
        {
            step.gate = Gate::LeftOut(left_out(step.name));
        }
    }
    steps
}

/// How many tests of one program run at once: most of the time those of brokers wait, and leave the processor to others.
fn test_threads() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}

fn left_out(step: &str) -> String {
    if step == "servers" {
        "`--memory` was given; tests against real brokers are left out with them".into()
    } else {
        "`--memory` was given".into()
    }
}

fn no_cargo_deny() -> Gate {
    Gate::Skipped("cargo-deny is not installed; install it with `cargo install --locked cargo-deny`".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Tools = Tools { cargo_deny: true, nightly: true };
    const NONE: Tools = Tools { cargo_deny: false, nightly: false };

    fn names(steps: &[Step], wanted: impl Fn(&Gate) -> bool) -> Vec<&'static str> {
        steps.iter().filter(|step| wanted(&step.gate)).map(|step| step.name).collect()
    }

    fn runs(gate: &Gate) -> bool {
        matches!(gate, Gate::Open | Gate::OpenForTests(_) | Gate::Servers(_) | Gate::After(..))
    }

    #[test]
    fn by_default_all_but_the_peers_run_in_order() {
        let steps = plan(Path::new("."), Scope::default(), ALL);
        let all = ["fmt", "clippy", "servers", "test", "docs", "deny", "advisories", "smoke", "fuzz"];
        let needed = |name: &&str| *name != "servers" || !brokers::servers(BROKERS).is_empty();
        assert_eq!(names(&steps, runs), all.into_iter().filter(needed).collect::<Vec<_>>());
        assert!(names(&steps, |gate| matches!(gate, Gate::LeftOut(_))).ends_with(&["peers"]));
    }

    #[test]
    fn memory_keeps_format_lints_and_the_tests_that_need_no_broker() {
        let steps = plan(Path::new("."), Scope { memory: true, peers: false }, ALL);
        assert_eq!(names(&steps, runs), ["fmt", "clippy", "test"]);
        for step in steps.iter().filter(|step| matches!(step.name, "clippy" | "test")) {
            assert!(!step.line.to_string().contains("--all-features"), "{}", step.line);
        }
        assert_eq!(names(&steps, |gate| matches!(gate, Gate::OpenForTests([]))), ["test"]);
    }

    #[test]
    fn the_peers_run_when_asked_for() {
        let steps = plan(Path::new("."), Scope { memory: true, peers: true }, ALL);
        assert_eq!(names(&steps, runs), ["fmt", "clippy", "test", "peers"]);
    }

    #[test]
    fn a_step_without_its_tool_is_skipped_with_the_command_that_installs_it() {
        let steps = plan(Path::new("."), Scope::default(), NONE);
        assert_eq!(
            names(
                &steps,
                |gate| matches!(gate, Gate::Skipped(reason) if reason.contains("install it with `"))
            ),
            ["deny", "advisories", "fuzz"]
        );
    }

    #[test]
    fn only_one_step_is_read_for_tests() {
        let steps = plan(Path::new("."), Scope::default(), ALL);
        assert_eq!(names(&steps, |gate| matches!(gate, Gate::OpenForTests(_))), ["test"]);
    }
}
