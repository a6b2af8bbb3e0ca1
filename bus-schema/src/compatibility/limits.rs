//! How long and how deep a comparison may go.

use crate::{Error, ErrorKind};

const STEPS: u32 = 200_000;
const DEPTH: usize = 100;

/// The steps that are left.
pub(super) struct Budget(u32);

impl Default for Budget {
    fn default() -> Self {
        Budget(STEPS)
    }
}

impl Budget {
    /// Takes a step.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| {
            Error::new(
                ErrorKind::TooLarge,
                format!("comparing two schemas takes more than {STEPS} steps: part the event, or give it fewer alternatives inside of alternatives"),
            )
        })?;
        Ok(())
    }

    /// Refuses a nesting that is too deep.
    pub(super) fn check_depth(&self, depth: usize) -> Result<(), Error> {
        if depth <= DEPTH {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!("comparing two schemas goes deeper than {DEPTH} levels: nest the payload less"),
        ))
    }
}
