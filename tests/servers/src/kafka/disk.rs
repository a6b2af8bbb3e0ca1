//! A data folder with little space: a file system of its own where this process may mount one, else a limit on the
//! size of each file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::install;
use crate::program;

/// How the space of a node is bounded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Disk {
    /// By the file system that the folder is on: as much as the machine has.
    Whole,
    /// By a file system in memory that is mounted at the folder.
    Mounted(PathBuf),
    /// By a limit on each file's size, in bytes.
    FileLimit(u64),
}

impl Disk {
    /// Bounds the space in `folder`, which exists, to `bytes`.
    pub(crate) fn small(folder: &Path, bytes: u64) -> Self {
        if cfg!(target_os = "linux") && install::is_root() && mount(folder, "", bytes).is_ok() {
            Self::Mounted(folder.to_owned())
        } else {
            Self::FileLimit(bytes)
        }
    }

    /// The limit for each file, if the space is bounded so.
    pub(crate) fn file_limit(&self) -> Option<u64> {
        match self {
            Self::FileLimit(bytes) => Some(*bytes),
            Self::Whole | Self::Mounted(_) => None,
        }
    }

    /// Makes room for `bytes`; a limit on files is lifted at the next start.
    pub(crate) fn enlarge(&mut self, bytes: u64) -> Result<(), Error> {
        match self {
            Self::Whole => Ok(()),
            Self::Mounted(folder) => mount(folder, "remount,", bytes),
            Self::FileLimit(_) => {
                *self = Self::Whole;
                Ok(())
            }
        }
    }
}

/// Unmounts what [`Disk::small`] mounted at `folder`, if it did.
pub(crate) fn unmount(folder: &Path) -> Result<(), Error> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let is_mounted =
        mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == folder));
    if is_mounted { program::run(Command::new("umount").arg(folder)).map(drop) } else { Ok(()) }
}

fn mount(folder: &Path, how: &str, bytes: u64) -> Result<(), Error> {
    program::run(
        Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("{how}size={bytes}"), "jitney-small-disk"])
            .arg(folder),
    )
    .map(drop)
}
