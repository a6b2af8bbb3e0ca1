//! Which changes are accepted.

use std::collections::BTreeSet;

use super::review::Item;
use crate::problem::ProblemKind;
use crate::{Error, ErrorKind};

/// The environment variable that accepts changes: `new`, `all`, or names of event types parted by commas, each with or without its
/// aggregate and a version: `OrderPaid`, `Order/OrderPaid@1.0`.
pub const ACCEPT_VARIABLE: &str = "JITNEY_ACCEPT";

/// Which changes are written to the lock folder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accept {
    /// None: every difference is a problem.
    Nothing,
    /// New event types and new versions that break no rule. Nothing that is locked changes.
    New,
    /// Every change of these event types, those that break readers included. A version that nothing reads any more, though newer ones
    /// of its event are there, is removed where it is named itself: `OrderPaid@1.0`.
    Events(BTreeSet<String>),
    /// Every change.
    All,
}

impl Accept {
    /// What the environment says.
    pub(super) fn from_env() -> Result<Accept, Error> {
        let Some(value) = std::env::var_os(ACCEPT_VARIABLE) else { return Ok(Accept::Nothing) };
        let value = value.into_string().map_err(|_| {
            let context = format!(
                "{ACCEPT_VARIABLE} is no text: write `new`, `all`, or names of event types parted by commas"
            );
            Error::new(ErrorKind::Contract, context)
        })?;
        Ok(Accept::parse(&value))
    }

    fn parse(text: &str) -> Accept {
        match text.trim() {
            "" => Accept::Nothing,
            "new" => Accept::New,
            "all" => Accept::All,
            names => Accept::Events(names.split(',').map(|name| name.trim().to_owned()).collect()),
        }
    }

    pub(super) fn takes(&self, item: &Item) -> bool {
        match self {
            Accept::Nothing => false,
            Accept::New => item.problems.iter().all(|problem| problem.kind() == ProblemKind::New),
            Accept::Events(names) => names.iter().any(|name| item.is_named(name)),
            Accept::All => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_what_is_accepted() {
        assert_eq!(Accept::parse(" "), Accept::Nothing);
        assert_eq!(Accept::parse("new"), Accept::New);
        assert_eq!(Accept::parse("all"), Accept::All);
        let names = ["OrderCreated", "OrderPaid"].map(str::to_owned);
        assert_eq!(Accept::parse("OrderPaid, OrderCreated"), Accept::Events(names.into()));
    }
}
