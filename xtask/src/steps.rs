//! The steps of `cargo xtask test`, and which of them apply to a run.

use std::path::Path;

use crate::command::CommandLine;
use crate::fuzz;

/// What was asked of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scope {
    /// Leave out the slower steps that are not tests.
    pub(crate) quick: bool,
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
    /// It runs, and its output is read for the results of tests.
    OpenForTests,
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
    let mut steps = vec![
        Step { name: "fmt", line: cargo("fmt --all -- --check"), gate: Gate::Open },
        Step {
            name: "clippy",
            line: cargo("clippy --workspace --all-targets --all-features -- -D warnings"),
            gate: Gate::Open,
        },
        Step {
            name: "test",
            line: cargo("test --workspace --all-features --no-fail-fast -- --show-output"),
            gate: Gate::OpenForTests,
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
            line: cargo("check --manifest-path benches/peers/Cargo.toml"),
            gate: if scope.peers {
                Gate::Open
            } else {
                Gate::LeftOut("heavy dependencies; `--peers` adds it".into())
            },
        },
    ];
    if scope.quick {
        for step in steps.iter_mut().filter(|step| !matches!(step.name, "fmt" | "clippy" | "test" | "peers"))
        {
            step.gate = Gate::LeftOut("`--quick` was given".into());
        }
    }
    steps
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
        matches!(gate, Gate::Open | Gate::OpenForTests | Gate::After(..))
    }

    #[test]
    fn by_default_all_but_the_peers_run_in_order() {
        let steps = plan(Path::new("."), Scope::default(), ALL);
        assert_eq!(
            names(&steps, runs),
            ["fmt", "clippy", "test", "docs", "deny", "advisories", "smoke", "fuzz"]
        );
        assert_eq!(names(&steps, |gate| matches!(gate, Gate::LeftOut(_))), ["peers"]);
    }

    #[test]
    fn quick_keeps_format_lints_and_tests() {
        let steps = plan(Path::new("."), Scope { quick: true, peers: false }, ALL);
        assert_eq!(names(&steps, runs), ["fmt", "clippy", "test"]);
    }

    #[test]
    fn the_peers_run_when_asked_for() {
        let steps = plan(Path::new("."), Scope { quick: true, peers: true }, ALL);
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
        assert_eq!(names(&steps, |gate| matches!(gate, Gate::OpenForTests)), ["test"]);
    }
}
