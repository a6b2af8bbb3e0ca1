//! The folders that servers live in, all of them under `target/servers` of this repository.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The folder `target/servers`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    /// The folder of the repository that this crate was built in.
    pub(crate) fn of_repository() -> Self {
        Self { root: repository().join("target/servers") }
    }

    #[cfg(test)]
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the server `name` has its state and its nodes.
    pub(crate) fn server(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Where nodes are that a test starts for itself.
    pub(crate) fn throw_away(&self) -> PathBuf {
        self.root.join("throw-away")
    }

    /// What was fetched under `name`; kept when servers go down.
    pub(crate) fn package(&self, name: &str) -> PathBuf {
        self.root.join("packages").join(name)
    }

    /// The certificates of the servers' TLS listeners; kept when servers go down.
    pub(crate) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// Waits until no other process changes `name`, and keeps others out for as long as the lock lives.
    pub(crate) fn lock(&self, name: &str) -> Result<Lock, Error> {
        create(&self.root)?;
        let path = self.root.join(format!("{name}.lock"));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        file.lock().map_err(Error::file("lock", &path))?;
        Ok(Lock { _file: file })
    }
}

/// Keeps other processes out; ends when dropped, or with the process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// The repository's root, two folders above this crate.
pub(crate) fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("this crate is in `tests/servers` of the repository").to_owned()
}

/// An error if `name` could not be the name of a folder that leads nowhere else.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.chars().all(is_allowed) {
        return Ok(());
    }
    let why = "a name here has small letters, digits and `-` only".to_owned();
    Err(Error::Setting { name: name.to_owned(), why })
}

/// Makes the folder `path` and those above it.
pub(crate) fn create(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("make the folder", path))
}

/// Removes the folder `path` with all that is in it, if it exists.
pub(crate) fn remove_folder(path: &Path) -> Result<(), Error> {
    gone(fs::remove_dir_all(path)).map_err(Error::file("remove the folder", path))
}

/// Removes the file `path`, if it exists.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    gone(fs::remove_file(path)).map_err(Error::file("remove", path))
}

/// Writes `text` so that a reader sees the old file or the whole new one.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let half = path.with_extension("new");
    fs::write(&half, text).and_then(|()| fs::rename(&half, path)).map_err(Error::file("write", path))
}

/// The text of `path`, or `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An empty folder for one test, below `target`.
    pub(crate) fn empty(name: &str) -> PathBuf {
        let path = repository().join("target/test-servers").join(name);
        remove_folder(&path).unwrap();
        create(&path).unwrap();
        path
    }

    #[test]
    fn what_is_absent_reads_as_none_and_can_be_removed() {
        let folder = empty("absent");
        assert_eq!(read(&folder.join("pid")).unwrap(), None);
        remove_file(&folder.join("pid")).unwrap();
        remove_folder(&folder.join("data")).unwrap();
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_is_dropped() {
        let place = Place::at(empty("lock"));
        let lock = place.lock("kafka").unwrap();
        let other = File::options().write(true).open(place.root().join("kafka.lock")).unwrap();
        assert!(other.try_lock().is_err());
        drop(lock);
        other.try_lock().unwrap();
    }
}
