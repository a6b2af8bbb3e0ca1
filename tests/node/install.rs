//! A program for Node.js, with what npm fetches for it into a folder below `target`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::thread;

/// What npm says when it is not the program's fault.
const NO_NETWORK: [&str; 6] =
    ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH"];

/// The program `bus.mjs` of the package in the folder `tests/{package}`, of which a suite has one, with its dependencies
/// beside it; the error says why it cannot run here.
pub(crate) fn program(package: &str) -> Result<PathBuf, String> {
    script(package, "bus.mjs")
}

/// The same of a package whose program is called `name`.
pub(crate) fn script(package: &str, name: &str) -> Result<PathBuf, String> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    INSTALLED.get_or_init(|| install(package, name)).clone()
}

/// What is found, or the line that says why this test of `suite` is skipped.
pub(crate) fn or_skipped<T>(found: Result<T, String>, suite: &str) -> Option<T> {
    let skip = |reason| {
        // With a single test thread, tests run on the main one.
        let thread = thread::current();
        let test = thread.name().filter(|name| *name != "main").unwrap_or(suite);
        println!("skipped: {test}: {reason}");
    };
    found.map_err(skip).ok()
}

fn install(package: &str, name: &str) -> Result<PathBuf, String> {
    answer(Command::new("node").arg("--version"))?;
    answer(Command::new("npm").arg("--version"))?;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(package);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(package);
    fs::create_dir_all(&folder).unwrap();
    // Another process may run the same tests.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let locked = fs::read(from.join("package-lock.json")).unwrap();
    if fs::read(folder.join("installed")).ok().as_ref() != Some(&locked) {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(from.join(file), folder.join(file)).unwrap();
        }
        fetch(package, &folder)?;
        fs::write(folder.join("installed"), locked).unwrap();
    }
    let program = folder.join(name);
    fs::copy(from.join(name), &program).unwrap();
    Ok(program)
}

fn fetch(package: &str, folder: &Path) -> Result<(), String> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(folder);
    let output = npm.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if NO_NETWORK.iter().any(|code| said.contains(code)) {
        return Err(format!("npm has no network to fetch the dependencies of {package} over"));
    }
    assert!(output.status.success(), "npm ci: {said}");
    Ok(())
}

fn answer(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("`{name}` cannot be run: {error}"))?;
    if output.status.success() { Ok(output) } else { Err(format!("`{name} --version`: {}", output.status)) }
}
