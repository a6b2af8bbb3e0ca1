//! What a node runs in: the packages of Maven Central on this machine's Java, or a container.

use std::path::PathBuf;
use std::process::Command;

use crate::docker;
use crate::error::Error;
use crate::java::Jdk;
use crate::kind::Kind;
use crate::maven;
use crate::place::Place;

const PACKAGE: &str = "kafka-4.3.1";

/// The programs of a JDK and the archives of Kafka, ready to run.
#[derive(Debug)]
pub(crate) enum Runtime {
    /// On this machine.
    Packages {
        /// The Java that was found.
        jdk: Jdk,
        /// The folder of the archives.
        libraries: PathBuf,
    },
    /// In a container.
    Docker,
}

impl Runtime {
    /// Finds, fetches or installs what `kind` needs.
    pub(crate) fn ready(kind: Kind, place: &Place) -> Result<Self, Error> {
        Ok(match kind {
            Kind::Docker => Self::Docker,
            Kind::Packages => {
                Self::Packages { jdk: Jdk::find()?, libraries: maven::libraries(place, PACKAGE)? }
            }
        })
    }

    /// A command for a program of the JDK that sees the servers' folders.
    pub(crate) fn tool(&self, place: &Place, program: &str) -> Command {
        match self {
            Self::Packages { jdk, .. } => jdk.command(program),
            Self::Docker => docker::tool(place, program),
        }
    }

    /// The class path of Kafka for [`tool`](Self::tool).
    pub(crate) fn class_path(&self) -> String {
        match self {
            Self::Packages { libraries, .. } => format!("{}/*", libraries.display()),
            Self::Docker => "/opt/kafka/libs/*".into(),
        }
    }
}
