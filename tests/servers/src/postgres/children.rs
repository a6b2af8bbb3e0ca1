//! The processes that a PostgreSQL starts: one for each connection, and some that tidy up.

use crate::made::{Made, text};
use crate::process;

use super::settings;

/// Those that run of `made`, without the first one. They outlive it by a moment when it is killed.
pub(crate) fn of(made: &Made, first: Option<u32>) -> Vec<u32> {
    let (title, data) =
        (format!("postgres: {}: ", settings::name(made)), format!(" -D {} ", text(&made.data())));
    // One that was just started still has the command line of the first.
    let is_one = |command: &str| command.starts_with(&title) || command.contains(&data);
    let found = process::all().into_iter().filter(|(pid, command)| Some(*pid) != first && is_one(command));
    found.map(|(pid, _)| pid).collect()
}
