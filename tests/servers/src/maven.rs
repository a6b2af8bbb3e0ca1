//! Fetching servers that are Java programs from Maven Central, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::install::Tool;
use crate::place::{self, Place};
use crate::program;

const TOOL: Tool = Tool { what: "Maven", package: "maven", formula: "maven", service: None };

const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// The folder with the archives that this crate's `pom.xml` names, fetched if it is not there yet.
pub(crate) fn libraries(place: &Place, name: &str) -> Result<PathBuf, Error> {
    let libraries = place.package(name);
    if libraries.is_dir() {
        return Ok(libraries);
    }
    let _lock = place.lock("packages")?;
    if libraries.is_dir() {
        return Ok(libraries);
    }
    if program::answer("mvn", &["--version"]).is_none() {
        TOOL.install()?;
    }
    eprintln!("fetching {name}");
    let partial = place.package(&format!("{name}.partial"));
    place::remove_folder(&partial)?;
    place::create(&partial)?;
    let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("pom.xml");
    program::run(
        Command::new("mvn")
            .args(["-q", "-B", "-f"])
            .arg(pom)
            .args([COPY, "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", partial.display())),
    )?;
    fs::rename(&partial, &libraries).map_err(Error::file("move the fetched archives to", &libraries))?;
    Ok(libraries)
}
