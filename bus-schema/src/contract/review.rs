//! One check: everything that differs, what of it is accepted, and what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jitney_core::event::Version;
use serde_json::Value;

use super::accept::{ACCEPT_VARIABLE, Accept};
use super::current::{self, Current, Key};
use super::difference::Change;
use super::versions::{self, Named};
use super::{Contract, Verified, chain, golden, gone, selector};
use crate::events::Declared;
use crate::lock::{Entry, Locked};
use crate::problem::{Problem, ProblemKind};
use crate::{Error, ErrorKind, Rule};

/// A difference in one version of an event type.
pub(super) struct Item {
    key: Key,
    pub(super) problems: Vec<Problem>,
    /// What would be written if it was accepted; none where it cannot be.
    write: Option<Write>,
    /// Whether it is to be named by its version to be accepted.
    exactly: bool,
}

impl Item {
    /// Whether `text` accepts it.
    pub(super) fn is_named(&self, text: &str) -> bool {
        let (aggregate, event, version) = &self.key;
        let names = if self.exactly { selector::names_exactly } else { selector::names_version };
        names(text, aggregate, event, *version)
    }
}

pub(super) enum Write {
    /// This entry, in place of the text that is there.
    Entry { entry: Entry, before: String },
    /// The file of this entry is removed.
    Removed(Entry),
}

/// What a check looks at.
struct Review<'a> {
    contract: &'a Contract,
    currents: BTreeMap<Key, Current>,
    locked: BTreeMap<Key, Entry>,
    damaged: BTreeSet<PathBuf>,
}

pub(super) fn review(contract: &Contract, accept: &Accept) -> Result<Verified, Error> {
    let read = contract.folder.read()?;
    let first = read.is_none();
    if first && contract.is_locked() {
        let context = format!(
            "there is no folder `{}` of locked schemas, and a build server cannot keep one: run the test where you work, and commit \
             the folder",
            contract.folder.path().display()
        );
        return Err(Error::new(ErrorKind::Contract, context));
    }
    let Locked { entries, damaged } = read.unwrap_or(Locked { entries: Vec::new(), damaged: Vec::new() });
    let (currents, mut problems) = current::of(&contract.events);
    problems.extend(damaged.iter().map(|(file, why)| damaged_file(file, why)));
    if currents.is_empty() && entries.is_empty() && problems.is_empty() {
        let context = format!(
            "no event is listed that could be compared with `{}`: list events, `events![OrderCreated]`",
            contract.folder.path().display()
        );
        return Err(Error::new(ErrorKind::Contract, context));
    }
    let keyed = |entry: Entry| ((entry.aggregate.clone(), entry.event.clone(), entry.version), entry);
    let review = Review {
        contract,
        currents,
        locked: entries.into_iter().map(keyed).collect(),
        damaged: damaged.into_iter().map(|(file, _)| file).collect(),
    };
    let mut accepted = Vec::new();
    for item in review.items() {
        let takes = (first && Accept::New.takes(&item)) || accept.takes(&item);
        match item.write {
            Some(write) if takes => accepted.push((write, if first { Vec::new() } else { item.problems })),
            _ => problems.extend(item.problems),
        }
    }
    if !problems.is_empty() {
        return Err(failed(contract, problems));
    }
    let versions = review.locked.len();
    let changes: Vec<_> = chain::linked(&review.locked, accepted)
        .into_iter()
        .map(|(write, problems)| apply(contract, write, problems))
        .collect::<Result<_, _>>()?;
    let removed = |change: &&Change| !change.file.exists();
    let added = changes.iter().filter(|change| change.is_new()).count();
    let versions = versions + added - changes.iter().filter(removed).count();
    Ok(Verified { versions, changes })
}

fn apply(contract: &Contract, write: Write, problems: Vec<Problem>) -> Result<Change, Error> {
    let folder = &contract.folder;
    let file = |entry: &Entry| folder.file(&entry.aggregate, &entry.event, entry.version);
    match write {
        Write::Entry { entry, before } => {
            folder.write(&entry)?;
            Ok(Change::new(file(&entry), &before, &entry.text(), problems))
        }
        Write::Removed(entry) => {
            folder.remove(&file(&entry))?;
            Ok(Change::new(file(&entry), &entry.text(), "", problems))
        }
    }
}

fn failed(contract: &Contract, problems: Vec<Problem>) -> Error {
    let count = problems.len();
    let s = if count == 1 { "" } else { "s" };
    let new = problems.iter().all(|problem| problem.kind() == ProblemKind::New);
    let hint = if new {
        format!("; nothing locked is touched: run once with `{ACCEPT_VARIABLE}=new`")
    } else {
        String::new()
    };
    let folder = contract.folder.path().display();
    Error::contract(
        format!("the events are not those that are locked in `{folder}`: {count} problem{s}{hint}"),
        problems,
    )
}

fn damaged_file(file: &std::path::Path, why: &str) -> Problem {
    let fix = format!(
        "restore the file from version control; or, if it is meant to be another, remove it and run with `{ACCEPT_VARIABLE}=new`"
    );
    let name = file.display().to_string();
    Problem::new(ProblemKind::File, &name, None, format!("the file cannot be used: {why}"), fix)
}

impl Review<'_> {
    fn items(&self) -> Vec<Item> {
        let current = self.currents.iter().filter_map(|(key, current)| self.current(key, current));
        let locked = self.locked.iter().filter_map(|(key, entry)| self.locked(key, entry));
        let missing = self.locked.iter().filter_map(|(key, entry)| self.missing(key, entry));
        current.chain(locked).chain(missing).collect()
    }

    /// What is to be said of an event type of the code.
    fn current(&self, key: &Key, current: &Current) -> Option<Item> {
        let (aggregate, event, version) = key;
        let named = Named { event, version: *version, rust_type: &current.declared.rust_type };
        let (mut problems, before) = match self.locked.get(key) {
            Some(entry) => {
                let rule = self.contract.rule_of(aggregate, event);
                let unwritten = versions::unwritten(
                    &named,
                    &current.written,
                    *version,
                    &entry.schema,
                    &entry.unwritten,
                    rule,
                );
                let problems = if versions::same(&entry.schema, &current.shape) {
                    unwritten
                } else {
                    let broken = versions::broken(&named, &current.shape, *version, &entry.schema, rule);
                    let problems = versions::told_once(broken, unwritten);
                    if problems.is_empty() { vec![versions::changed(&named)] } else { problems }
                };
                if problems.is_empty() {
                    return None;
                }
                (problems, entry.text())
            }
            None if self.damaged.contains(&self.contract.folder.file(aggregate, event, *version)) => {
                return None;
            }
            None => (self.new_version(key, &named, current), String::new()),
        };
        let write = match golden::entry(self.contract, current) {
            Ok(entry) => Some(Write::Entry { entry, before }),
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        Some(Item { key: key.clone(), problems, write, exactly: false })
    }

    /// What is to be said of a version that is not locked: what it breaks, or else that it is new.
    fn new_version(&self, key: &Key, named: &Named<'_>, current: &Current) -> Vec<Problem> {
        let (aggregate, event, version) = key;
        let rule = self.contract.rule_of(aggregate, event);
        let unwritten = self.unwritten(key, named, current, rule);
        let mut before = self.before(key);
        if !rule.is_transitive() {
            before.drain(..before.len().saturating_sub(1));
        }
        let broken: Vec<_> = before
            .into_iter()
            .flat_map(|(before, schema)| versions::broken(named, &current.shape, before, schema, rule))
            .collect();
        let broken = versions::told_once(broken, unwritten);
        if !broken.is_empty() {
            return broken;
        }
        let what = "it is not locked yet";
        let fix = format!("lock it: run once with `{ACCEPT_VARIABLE}=new`, and commit the file");
        vec![Problem::new(ProblemKind::New, event, Some(*version), what, fix)]
    }

    /// What readers of the version before, or else of this one, do not get from what is written.
    fn unwritten(&self, key: &Key, named: &Named<'_>, current: &Current, rule: Rule) -> Vec<Problem> {
        let (aggregate, event, version) = key;
        let first = (aggregate.clone(), event.clone(), Version::new(version.major, 0));
        match self.locked.range(&first..key).next_back() {
            Some((_, entry)) => {
                let Entry { version, schema, unwritten, .. } = entry;
                versions::unwritten(named, &current.written, *version, schema, unwritten, rule)
            }
            None => {
                let known = versions::unwritten_paths(&current.shape, &current.written);
                versions::unwritten(named, &current.written, *version, &current.shape, &known, rule)
            }
        }
    }

    /// The schemas of the minor versions before `key`, those that are locked and those that only the code has.
    fn before(&self, key: &Key) -> Vec<(Version, &Value)> {
        let (aggregate, event, version) = key;
        let is_before = |(of, name, at): &Key| {
            of == aggregate && name == event && at.major == version.major && at.minor < version.minor
        };
        let current = self.currents.iter().filter(|(key, _)| is_before(key));
        let mut before: BTreeMap<_, _> = current.map(|((_, _, at), current)| (*at, &current.shape)).collect();
        let locked = self.locked.iter().filter(|(key, _)| is_before(key));
        before.extend(locked.map(|((_, _, at), entry)| (*at, &entry.schema)));
        before.into_iter().collect()
    }

    /// What is to be said of a locked version.
    fn locked(&self, key: &Key, entry: &Entry) -> Option<Item> {
        let readers: Vec<&Current> = self.readers(entry);
        let problem = match readers.last() {
            None => gone::event(entry, &self.unlocked()),
            Some(newest) if newest.declared.event_type.version() < entry.version => {
                gone::version(entry, newest)
            }
            Some(_) => {
                // Its own problems are told where the code's version is looked at.
                let changed = self
                    .currents
                    .get(key)
                    .is_some_and(|current| !versions::same(&current.shape, &entry.schema));
                let declared: Vec<&Declared> = readers.iter().map(|current| &current.declared).collect();
                let problem = golden::unreadable(entry, &declared).filter(|_| !changed)?;
                let write = (!self.currents.contains_key(key)).then(|| Write::Removed(entry.clone()));
                return Some(Item { key: key.clone(), problems: vec![problem], write, exactly: true });
            }
        };
        let write = Some(Write::Removed(entry.clone()));
        Some(Item { key: key.clone(), problems: vec![problem], write, exactly: false })
    }

    /// What is to be said of the version before `entry`, where it has no file any more.
    fn missing(&self, key: &Key, entry: &Entry) -> Option<Item> {
        let (aggregate, event, _) = key;
        let follows = entry.follows?;
        let before = (aggregate.clone(), event.clone(), follows);
        let file = self.contract.folder.file(aggregate, event, follows);
        if self.locked.contains_key(&before) || self.damaged.contains(&file) {
            return None;
        }
        let problem = gone::file(&before, entry, &file);
        let write = Some(Write::Entry { entry: entry.clone(), before: entry.text() });
        Some(Item { key: before, problems: vec![problem], write, exactly: true })
    }

    /// The code's versions of the event type of `entry`, the newest last.
    fn readers(&self, entry: &Entry) -> Vec<&Current> {
        let named = |(aggregate, event, _): &Key| *aggregate == entry.aggregate && *event == entry.event;
        self.currents.iter().filter(|(key, _)| named(key)).map(|(_, current)| current).collect()
    }

    fn unlocked(&self) -> BTreeMap<&Key, &Current> {
        self.currents.iter().filter(|(key, _)| !self.locked.contains_key(*key)).collect()
    }
}
