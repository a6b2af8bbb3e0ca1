//! The lock folder: one file for each event type and version, `{aggregate}/{event}/{version}.json`.

mod entry;
mod folder;
mod name;

pub(crate) use entry::Entry;
pub(crate) use folder::{Folder, Locked};
