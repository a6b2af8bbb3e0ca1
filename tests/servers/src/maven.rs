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

const COPY_ONE: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";

/// The folder with the archives that this crate's `pom.xml` names, fetched if it is not there yet.
pub(crate) fn libraries(place: &Place, name: &str) -> Result<PathBuf, Error> {
    fetched(place, name, |folder| {
        let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("pom.xml");
        program::run(
            Command::new("mvn")
                .args(["-q", "-B", "-f"])
                .arg(pom)
                .args([COPY, "-DincludeScope=runtime"])
                .arg(format!("-DoutputDirectory={}", folder.display())),
        )
        .map(drop)
    })
}

/// The folder with what is in the one archive `artifact` (`group:artifact:version:tar.gz:classifier`), fetched and unpacked if it
/// is not there yet.
pub(crate) fn unpacked(place: &Place, name: &str, artifact: &str) -> Result<PathBuf, Error> {
    fetched(place, name, |folder| {
        program::run(
            Command::new("mvn")
                .args(["-q", "-B", COPY_ONE])
                .arg(format!("-Dartifact={artifact}"))
                .arg(format!("-DoutputDirectory={}", folder.display())),
        )?;
        for entry in fs::read_dir(folder).map_err(Error::file("read", folder))?.flatten() {
            program::run(Command::new("tar").arg("-xzf").arg(entry.path()).arg("-C").arg(folder))?;
            place::remove_file(&entry.path())?;
        }
        Ok(())
    })
}

/// The folder of the package `name`, which `fetch` fills if it is not there yet.
fn fetched(
    place: &Place,
    name: &str,
    fetch: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
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
    fetch(&partial)?;
    fs::rename(&partial, &libraries).map_err(Error::file("move the fetched archives to", &libraries))?;
    Ok(libraries)
}
