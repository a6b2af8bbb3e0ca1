//! What a user waits for first: a build of the library with its default features, from nothing.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::command::CommandLine;
use crate::error::Error;
use crate::runner;

/// The build that is timed; two jobs, so that machines with more cores can be compared.
pub(crate) const BUILD: &str = "build -p jitney --jobs 2 --timings --target-dir target/cold-build";

const FETCH: &str = "fetch --quiet";
const CLEAN: &str = "clean --quiet --target-dir target/cold-build";
const TREE: &str = "tree -p jitney -e normal,build --prefix none";
const TIMINGS: &str = "target/cold-build/cargo-timings/cargo-timing.html";

/// Builds in a target directory of its own that is emptied first, with the downloads already done, and prints seconds
/// and crates.
pub(crate) fn run(root: &Path) -> Result<ExitCode, Error> {
    let cargo = |args| CommandLine::cargo(args, root);
    for preparation in [cargo(FETCH), cargo(CLEAN)] {
        if !succeeds(&preparation)? {
            return Ok(ExitCode::FAILURE);
        }
    }
    let started = now();
    if !succeeds(&cargo(BUILD))? {
        return Ok(ExitCode::FAILURE);
    }
    let seconds = started.elapsed().as_secs_f64();
    let Some(tree) = cargo(TREE).answer() else {
        eprintln!("error: the crates could not be counted; `{}` says why", cargo(TREE));
        return Ok(ExitCode::FAILURE);
    };
    let crates = crates(&tree).len();
    let mut out = io::stdout();
    writeln!(out, "cold debug build, default features, 2 jobs: {seconds:.1} s, {crates} crates")
        .and_then(|()| writeln!(out, "crate by crate: {TIMINGS}"))
        .map_err(Error::Print)?;
    Ok(ExitCode::SUCCESS)
}

fn succeeds(line: &CommandLine) -> Result<bool, Error> {
    eprintln!("==> {line}");
    Ok(runner::run(line)?.success())
}

/// Names and versions in the output of `cargo tree`, each once.
fn crates(tree: &str) -> BTreeSet<(&str, &str)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the time that a build takes is the machine's own")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_counts_once_and_each_of_its_versions() {
        let tree = "jitney v0.1.0 (/src)\nserde v1.0.1\nserde_derive v1.0.1 (proc-macro)\n\
                    serde v1.0.1 (*)\nsyn v2.0.0\nsyn v3.0.0\n\n";
        assert_eq!(crates(tree).len(), 5);
    }
}
