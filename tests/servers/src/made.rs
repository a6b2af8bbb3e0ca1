//! What is made for a server of one process: its files, its ports, and where it is written down.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::place::{self, Place};
use crate::ports::Ports;
use crate::state::State;

/// What was made for a server of one process.
#[derive(Debug)]
pub(crate) struct Made {
    /// What was written down of it.
    pub(crate) state: State,
    /// Where it listens.
    pub(crate) ports: Ports,
    /// The folder of its files and its data.
    pub(crate) folder: PathBuf,
    /// The folders of all servers.
    pub(crate) place: Place,
}

impl Made {
    /// The folder of its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The file `name` in its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes `variables` into the file `environment` of its folder, for a shell that reads it before it starts the
    /// server in a container, and for whoever looks.
    pub(crate) fn write_environment(&self, variables: &[(&str, String)]) -> Result<(), Error> {
        let lines: String = variables
            .iter()
            .map(|(name, value)| format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
            .collect();
        place::write(&self.file("environment"), &lines)
    }
}

/// `path` as text, for a file of settings.
pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}
