//! Programs from PyPI, each in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::install::Tool;
use crate::place::{self, Place};
use crate::program;

const TOOL: Tool = Tool {
    what: "Python 3 with its module `venv`",
    package: "python3-venv",
    formula: "python",
    service: None,
};

/// The Python of a virtual environment in which `requirement` is installed, as `pika==1.3.2`: fetched if it is not there
/// yet, and kept. Several processes may call this at once.
///
/// # Errors
///
/// When there is no Python 3 and it cannot be installed from here, or the package cannot be fetched.
pub fn python_with(requirement: &str) -> Result<PathBuf, Error> {
    environment(&Place::of_repository(), requirement).map(|folder| folder.join("bin/python"))
}

/// Where the virtual environment of `requirement` is, or would be.
pub(crate) fn folder(place: &Place, requirement: &str) -> PathBuf {
    place.package(&requirement.replace("==", "-"))
}

/// The folder of the virtual environment of `requirement`, which is made if it is not there.
pub(crate) fn environment(place: &Place, requirement: &str) -> Result<PathBuf, Error> {
    let folder = folder(place, requirement);
    let _lock = place.lock("packages")?;
    // An environment knows its own folder, so that it cannot be made elsewhere and moved.
    let finished = folder.join("finished");
    if finished.is_file() {
        return Ok(folder);
    }
    place::remove_folder(&folder)?;
    if make(&folder).is_err() {
        TOOL.install()?;
        place::remove_folder(&folder)?;
        make(&folder)?;
    }
    eprintln!("fetching {requirement}");
    let mut pip = Command::new(folder.join("bin/python"));
    program::run(pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", requirement]))?;
    fs::write(&finished, "").map_err(Error::file("write", &finished))?;
    Ok(folder)
}

fn make(folder: &Path) -> Result<String, Error> {
    program::run(Command::new("python3").args(["-m", "venv"]).arg(folder))
}
