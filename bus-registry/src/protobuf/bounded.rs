//! Bytes that do not become too many: a message of a few bytes may have thousands of fields that are not there, and are written out.

use std::io::{self, Write};

use crate::limits::most_out;

/// What is written of a body.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Bounded {
    /// For a body of so many bytes.
    pub(super) fn of(body: usize) -> Self {
        Bounded { bytes: Vec::with_capacity(body * 3), most: most_out(body) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.most {
            return Err(io::Error::other("there is far more in it than the body has bytes"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
