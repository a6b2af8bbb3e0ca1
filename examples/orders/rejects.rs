//! The file of the lines that are no orders.

use std::fs::File;
use std::io::{Error, Write};
use std::path::Path;

/// Lines that were rejected; the file is made with the first of them.
pub struct Rejects<'a> {
    path: &'a Path,
    file: Option<File>,
    number: usize,
    failure: Option<Error>,
}

impl<'a> Rejects<'a> {
    /// Rejected lines are to be in the file `path`, and nothing else.
    pub fn new(path: &'a Path) -> Self {
        Rejects { path, file: None, number: 0, failure: None }
    }

    /// Writes `line` as it came. An error is kept for [`finish`](Self::finish).
    pub fn add(&mut self, line: &[u8]) {
        self.number += 1;
        if let Err(error) = self.write(line) {
            self.failure.get_or_insert(error);
        }
    }

    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(self.path)?),
        };
        file.write_all(&[line, b"\n"].concat())
    }

    /// How many lines were rejected, or why they could not be written.
    pub fn finish(self) -> Result<usize, String> {
        match self.failure {
            Some(error) => Err(format!("writing rejected lines to {}: {error}", self.path.display())),
            None => Ok(self.number),
        }
    }
}
