//! Fuzzing one target for some time.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::command::CommandLine;
use crate::error::Error;
use crate::runner;

/// The command that installs the nightly toolchain.
pub(crate) const INSTALL_NIGHTLY: &str = "rustup toolchain install nightly";

const INSTALL_CARGO_FUZZ: &str = "cargo install --locked cargo-fuzz";

/// Whether a nightly toolchain is installed.
pub(crate) fn nightly_is_installed(root: &Path) -> bool {
    CommandLine::new("rustup", "toolchain list", root)
        .answer()
        .is_some_and(|list| list.lines().any(|toolchain| toolchain.starts_with("nightly")))
}

/// Prints the targets and how to run one.
pub(crate) fn list(root: &Path) -> Result<ExitCode, Error> {
    let targets = targets(root)?;
    let mut out = io::stdout();
    let mut print = || {
        writeln!(out, "fuzz targets (run one with `cargo xtask fuzz TARGET [--seconds N]`):")?;
        targets.iter().try_for_each(|target| writeln!(out, "  {target}"))
    };
    print().map_err(Error::Print)?;
    Ok(ExitCode::SUCCESS)
}

/// Fuzzes `target` for `seconds`.
pub(crate) fn run(root: &Path, target: &str, seconds: u64) -> Result<ExitCode, Error> {
    let known = targets(root)?;
    if !known.iter().any(|name| name == target) {
        return Err(Error::Unknown { kind: "fuzz target", name: target.to_owned(), known });
    }
    if !nightly_is_installed(root) {
        return Err(Error::Missing { tool: "the nightly toolchain", install: INSTALL_NIGHTLY });
    }
    if CommandLine::cargo("fuzz --version", root).answer().is_none() {
        return Err(Error::Missing { tool: "cargo-fuzz", install: INSTALL_CARGO_FUZZ });
    }
    let line = command(root, target, seconds);
    eprintln!("==> {line}");
    let status = runner::run(&line)?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn command(root: &Path, target: &str, seconds: u64) -> CommandLine {
    CommandLine::cargo("+nightly fuzz run", &root.join("fuzz"))
        .with_args([target, "--"])
        .with_args([format!("-max_total_time={seconds}")])
}

fn targets(root: &Path) -> Result<Vec<String>, Error> {
    let path = root.join("fuzz/Cargo.toml");
    match fs::read_to_string(&path) {
        Ok(manifest) => Ok(binaries(&manifest)),
        Err(source) => Err(Error::Read { path, source }),
    }
}

/// The names of the `[[bin]]` tables of a manifest.
fn binaries(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.starts_with("[[bin]]");
        } else if inside
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "name"
        {
            names.extend(value.split('"').nth(1).map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_are_the_binaries_of_the_manifest() {
        let manifest = "[package]\nname = \"fuzz\"\n\n[[bin]]\nname = \"envelope\"\npath = \"a.rs\"\n\n\
                        [[bin]]\ntest = false\nname=\"url\" # second\n[profile.release]\nname = \"no\"\n";
        assert_eq!(binaries(manifest), ["envelope", "url"]);
    }

    #[test]
    fn a_target_runs_on_nightly_for_the_seconds_asked() {
        let line = command(Path::new("."), "envelope", 30);
        assert_eq!(line.to_string(), "cargo +nightly fuzz run envelope -- -max_total_time=30");
    }

    #[test]
    fn a_folder_without_a_fuzz_workspace_is_an_error_that_names_the_file() {
        let error = targets(Path::new("no-such-folder")).unwrap_err().to_string();
        assert!(error.contains("no-such-folder/fuzz/Cargo.toml"), "{error}");
    }
}
