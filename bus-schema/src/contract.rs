//! Holding events against the lock folder.

mod accept;
mod chain;
mod current;
mod difference;
mod golden;
mod gone;
mod review;
mod selector;
mod versions;

pub use accept::{ACCEPT_VARIABLE, Accept};
pub use difference::Change;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use jitney_core::DomainEvent;
use jitney_core::event::{Version, make_up_pseudonyms};
use jitney_core::personal::collect;
use serde_json::Value;

use crate::lock::Folder;
use crate::{Error, ErrorKind, Events, Rule};

/// Holds `events` against the lock folder `folder`, as [`Contract::check`] does; the rule is FULL_TRANSITIVE.
///
/// # Panics
///
/// When they differ, with everything that is wrong and how to mend it; when the folder cannot be read or written.
#[track_caller]
pub fn check(folder: impl Into<PathBuf>, events: impl Into<Events>) {
    Contract::new(folder, events).check();
}

/// Events, the folder that they are locked in, and the rules between their versions.
#[derive(Debug)]
#[must_use = "nothing is checked until `check` or `verify` is called"]
pub struct Contract {
    folder: Folder,
    events: Events,
    rule: Rule,
    rules: BTreeMap<String, Rule>,
    examples: BTreeMap<(String, String, Version), Value>,
    unwritten: Vec<String>,
    accept: Option<Accept>,
    locked: Option<bool>,
}

/// What a check found in order.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verified {
    /// So many versions of event types are in the lock folder.
    pub versions: usize,
    /// What was written to it, with what it overruled.
    pub changes: Vec<Change>,
}

impl Contract {
    /// The contract of `events` in `folder`. A path that is not absolute begins at the working folder, which for tests is that of
    /// their package.
    pub fn new(folder: impl Into<PathBuf>, events: impl Into<Events>) -> Self {
        Contract {
            folder: Folder::new(folder),
            events: events.into(),
            rule: Rule::default(),
            rules: BTreeMap::new(),
            examples: BTreeMap::new(),
            unwritten: Vec::new(),
            accept: None,
            locked: None,
        }
    }

    /// With `rule` between the minor versions of event types that have none of their own.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// With `rule` between the minor versions of the event type called `event`: `OrderPaid`, or, where several aggregates have one of that
    /// name, `Order/OrderPaid`.
    pub fn rule_for(mut self, event: &str, rule: Rule) -> Self {
        self.rules.insert(event.to_owned(), rule);
        self
    }

    /// With the payload of `event` as the example of its type, when that is locked; otherwise one is made from the schema. Needed
    /// where a type takes fewer values than its schema says. [Personal](jitney_core::personal) values in it are written as they are:
    /// make them up. Pseudonyms are made up here.
    pub fn example<E: DomainEvent>(mut self, event: &E) -> Self {
        let of = event.event_type();
        match collect(|| event.serialize_payload(serde_json::value::Serializer)).0 {
            Ok(mut payload) => {
                make_up_pseudonyms(&mut payload);
                let key = (of.aggregate().to_owned(), of.name().to_owned(), of.version());
                self.examples.insert(key, payload);
            }
            Err(error) => self.unwritten.push(format!("writing the example of `{of}`: {error}")),
        }
        self
    }

    /// Accepts these changes, whatever the environment variable [`ACCEPT_VARIABLE`] says.
    pub fn accept(mut self, accept: Accept) -> Self {
        self.accept = Some(accept);
        self
    }

    /// Whether a missing lock folder is an error, instead of being written. By default it is where the variable `CI` is set: a
    /// folder that a build server writes is lost with it.
    pub fn locked(mut self, locked: bool) -> Self {
        self.locked = Some(locked);
        self
    }

    /// Compares, and tells on standard error what was written to the folder, also in a test that passes.
    ///
    /// # Panics
    ///
    /// When the events and the folder differ, with everything that is wrong and how to mend it; when the folder cannot be read or
    /// written.
    #[track_caller]
    pub fn check(self) {
        match self.verify() {
            Ok(verified) => {
                // Tests keep what is printed to themselves.
                let mut err = std::io::stderr();
                for change in &verified.changes {
                    // Where nobody can be told, the files still say it.
                    let _ = writeln!(err, "{change}");
                }
            }
            Err(error) if error.kind() == ErrorKind::Contract => panic!("{error}"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Compares, and writes to the folder: all of it, where there is none; otherwise what is accepted.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, as [`ErrorKind::Contract`]; when the folder cannot be read or written. Where anything is left that
    /// is not accepted, nothing is written.
    pub fn verify(self) -> Result<Verified, Error> {
        let accept = match &self.accept {
            Some(accept) => accept.clone(),
            None => here(Accept::from_env()?, self.is_locked())?,
        };
        if let Some(unwritten) = self.unwritten.first() {
            return Err(Error::new(ErrorKind::Contract, unwritten.clone()));
        }
        review::review(&self, &accept)
    }

    fn rule_of(&self, aggregate: &str, event: &str) -> Rule {
        let of = |named: &str| self.rules.get(named).copied();
        of(&format!("{aggregate}/{event}")).or_else(|| of(event)).unwrap_or(self.rule)
    }

    fn is_locked(&self) -> bool {
        self.locked.unwrap_or_else(|| {
            std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
        })
    }
}

/// What the environment accepts, which is to be where the folder is kept.
fn here(accept: Accept, is_locked: bool) -> Result<Accept, Error> {
    if is_locked && !matches!(accept, Accept::Nothing) {
        let context = format!(
            "`{ACCEPT_VARIABLE}` is set on a build server, where what is written is lost, and every change would pass: accept changes \
             where you work, and commit the folder"
        );
        return Err(Error::new(ErrorKind::Contract, context));
    }
    Ok(accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_server_accepts_nothing() {
        assert!(here(Accept::Nothing, true).is_ok() && here(Accept::All, false).is_ok());
        for accept in [Accept::New, Accept::All] {
            let error = here(accept, true).unwrap_err();
            assert!(error.to_string().contains("JITNEY_ACCEPT"), "{error}");
        }
    }
}
