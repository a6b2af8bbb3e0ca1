//! Installing what a server needs and this machine lacks, where that is possible without asking.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::program;

/// What a package asks before it starts a service: a program that answers 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// A program with the package of Debian that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// What it is, in an error.
    pub(crate) what: &'static str,
    /// Its package in Debian, Ubuntu and their like.
    pub(crate) package: &'static str,
    /// Its package in Homebrew.
    pub(crate) formula: &'static str,
    /// The service that the package would start by itself, and must not.
    pub(crate) service: Option<&'static str>,
}

impl Tool {
    /// Installs the package as root on a system with `apt-get`; elsewhere the error names the command.
    pub(crate) fn install(self) -> Result<(), Error> {
        if !is_root() || program::answer("apt-get", &["--version"]).is_none() {
            return Err(self.missing());
        }
        eprintln!("installing {} ({})", self.what, self.package);
        let _policy = self.service.map(|_| Policy::forbid(Path::new(POLICY))).transpose()?;
        if self.apt_get(&["install", "-y", self.package]).is_err() {
            // On a fresh machine there are no lists of packages yet.
            self.apt_get(&["update"])?;
            self.apt_get(&["install", "-y", self.package])?;
        }
        if let Some(service) = self.service {
            // Where there is systemd, it would start the service with the machine.
            program::answer("systemctl", &["disable", service]);
        }
        Ok(())
    }

    /// The error that says how to install it.
    pub(crate) fn missing(self) -> Error {
        let install = if cfg!(target_os = "macos") {
            format!("brew install {}", self.formula)
        } else {
            format!("sudo apt-get install -y {}", self.package)
        };
        Error::Missing { what: self.what, install }
    }

    fn apt_get(self, args: &[&str]) -> Result<String, Error> {
        // Another installation may be under way.
        let waiting = "DPkg::Lock::Timeout=300";
        let mut command = Command::new("apt-get");
        program::run(command.args(["-q", "-o", waiting]).args(args).env("DEBIAN_FRONTEND", "noninteractive"))
    }
}

/// Keeps packages from starting their services for as long as it lives; a policy that the machine has stays as it is.
struct Policy {
    ours: Option<PathBuf>,
}

impl Policy {
    fn forbid(path: &Path) -> Result<Self, Error> {
        if path.exists() {
            return Ok(Self { ours: None });
        }
        let made = Self { ours: Some(path.to_owned()) };
        fs::write(path, "#!/bin/sh\nexit 101\n").map_err(Error::file("write", path))?;
        program::run(Command::new("chmod").arg("755").arg(path))?;
        Ok(made)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = &self.ours
            && let Err(error) = fs::remove_file(path)
        {
            eprintln!(
                "`{}` could not be removed: {error}; services do not start while it is there",
                path.display()
            );
        }
    }
}

/// Whether this process may do everything.
pub(crate) fn is_root() -> bool {
    program::answer("id", &["-u"]).is_some_and(|id| id.trim() == "0")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::place;

    #[test]
    fn what_is_missing_comes_with_its_command() {
        let maven = Tool { what: "Maven", package: "maven", formula: "maven", service: None };
        assert_eq!(
            maven.missing().to_string(),
            "Maven is not installed; install it with `sudo apt-get install -y maven`"
        );
    }

    #[test]
    fn a_policy_is_there_for_a_time_and_that_of_the_machine_stays() {
        let path = place::tests::empty("policy").join("policy-rc.d");
        let ours = Policy::forbid(&path).unwrap();
        let answer = Command::new(&path).status().unwrap();
        assert_eq!(answer.code(), Some(101));
        drop(Policy::forbid(&path).unwrap());
        assert!(path.exists());
        drop(ours);
        assert!(!path.exists());
    }
}
