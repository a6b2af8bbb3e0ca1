//! A folder for the files of one test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder. Dropped, it is removed.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder for the test `name`.
    pub(crate) fn new(name: &str) -> Self {
        static FOLDERS: AtomicU64 = AtomicU64::new(0);
        let (process, number) = (std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("jitney-sqlite-{name}-{process}-{number}"));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// The path of `file` in it.
    pub(crate) fn path(&self, file: &str) -> String {
        self.0.join(file).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
