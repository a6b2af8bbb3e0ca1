//! Process managers that panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jitney_core::panic_message;

use super::ProcessManager;
use crate::{Error, ErrorKind};

/// Does `work`, in which the process manager is called. A panic is an error of it as any other: the runner goes on, and what is to
/// be done about an input that cannot be handled is done.
pub(super) fn caught<P: ProcessManager, T>(
    doing: impl FnOnce() -> String,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    // What the process manager has left half done is dropped: a step becomes part of the work behind it.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let (name, said) = (P::NAME, panic_message(&*panic));
        let what = format!("{} for `{name}`: it has panicked, and nothing has changed: {said}", doing());
        Err(Error::new(ErrorKind::Process, what))
    })
}
