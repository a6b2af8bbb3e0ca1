//! JSON payloads, and the personal values in them.

mod open;
mod scan;
mod seal;

pub(crate) use open::{Opened, Sealed, open};
pub(crate) use scan::find;
pub(crate) use seal::{Instead, Open, seal};
