//! Reading and writing the lock folder.

use std::fs;
use std::io::{self, ErrorKind as Io};
use std::path::{Path, PathBuf};

use jitney_core::event::Version;

use super::entry::Entry;
use super::name;
use crate::{Error, ErrorKind};

/// The lock folder.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

/// What the folder holds.
#[derive(Debug)]
pub(crate) struct Locked {
    /// By aggregate, event and version.
    pub(crate) entries: Vec<Entry>,
    /// Files that are no entries, and why.
    pub(crate) damaged: Vec<(PathBuf, String)>,
}

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Folder(path.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where the entry of this event is.
    pub(crate) fn file(&self, aggregate: &str, event: &str, version: Version) -> PathBuf {
        let folder = self.0.join(name::folder(aggregate)).join(name::folder(event));
        folder.join(format!("{version}.json"))
    }

    /// Everything that is locked; none where there is no folder.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub(crate) fn read(&self) -> Result<Option<Locked>, Error> {
        let Some(aggregates) = self.folders_in(&self.0)? else { return Ok(None) };
        let mut locked = Locked { entries: Vec::new(), damaged: Vec::new() };
        for aggregate in aggregates {
            for event in self.folders_in(&aggregate)?.unwrap_or_default() {
                for file in self.list(&event)?.unwrap_or_default() {
                    if file.extension().is_some_and(|extension| extension == "json") {
                        self.read_file(file, &mut locked)?;
                    }
                }
            }
        }
        locked.entries.sort_by(|one, other| {
            (&one.aggregate, &one.event, one.version).cmp(&(&other.aggregate, &other.event, other.version))
        });
        Ok(Some(locked))
    }

    fn read_file(&self, file: PathBuf, locked: &mut Locked) -> Result<(), Error> {
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == Io::InvalidData => {
                locked.damaged.push((file, "it is no text".to_owned()));
                return Ok(());
            }
            Err(error) => return Err(failed("reading", &file, error)),
        };
        match Entry::read(&text) {
            Ok(entry) if self.file(&entry.aggregate, &entry.event, entry.version) == file => {
                locked.entries.push(entry);
            }
            Ok(entry) => {
                let here = format!(
                    "it is of `{}` {} of the aggregate `{}`",
                    entry.event, entry.version, entry.aggregate
                );
                locked.damaged.push((file, format!("{here}, and in the place of another")));
            }
            Err(why) => locked.damaged.push((file, why)),
        }
        Ok(())
    }

    /// Stores `entry`; a crash leaves the old file or the new one.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn write(&self, entry: &Entry) -> Result<(), Error> {
        let file = self.file(&entry.aggregate, &entry.event, entry.version);
        let folder = file.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).map_err(|error| failed("making", folder, error))?;
        let beside = file.with_extension(format!("json.{}", std::process::id()));
        fs::write(&beside, entry.text()).map_err(|error| failed("writing", &beside, error))?;
        fs::rename(&beside, &file).map_err(|error| failed("writing", &file, error))
    }

    /// Removes the file of an entry, and its folders where they are empty then.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub(crate) fn remove(&self, file: &Path) -> Result<(), Error> {
        fs::remove_file(file).map_err(|error| failed("removing", file, error))?;
        for folder in file.ancestors().skip(1).take(2) {
            // A folder that is not empty stays.
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }

    fn folders_in(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
        let paths = self.list(folder)?;
        Ok(paths.map(|paths| paths.into_iter().filter(|path| path.is_dir()).collect()))
    }

    fn list(&self, folder: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == Io::NotFound => return Ok(None),
            Err(error) => return Err(failed("reading", folder, error)),
        };
        let paths: io::Result<Vec<_>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = paths.map_err(|error| failed("reading", folder, error))?;
        paths.sort();
        Ok(Some(paths))
    }
}

fn failed(doing: &str, path: &Path, error: io::Error) -> Error {
    let context =
        format!("{doing} `{}` of the locked schemas: see to its permissions and its disk", path.display());
    Error::new(ErrorKind::Folder, context).with_source(error)
}
