//! What can be wrong with a set-up, and what to do about it.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use crate::Error;
use crate::dispatch::Limits;
use crate::handler::{Accepts, HandlerEntry, Idempotency, Need, States};
use crate::publish::Bus;
use crate::transport::Start;

/// The mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes(Vec<String>);

impl Mistakes {
    pub(super) fn add(&mut self, mistake: impl Into<String>) {
        self.0.push(mistake.into());
    }

    pub(super) fn unknown_bus(&mut self, what: &str, bus: &str, named: &BTreeMap<String, Bus>) {
        let known: Vec<_> = named.keys().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there are {}", known.join(", "))
        };
        self.add(format!("{what} names the bus `{bus}`, and {known}: add it with `.bus(\"{bus}\", …)`"));
    }

    /// # Errors
    ///
    /// One error that lists the mistakes, where there are any.
    pub(super) fn into_result(self, service: &str) -> Result<(), Error> {
        match &self.0[..] {
            [] => Ok(()),
            [one] => Err(Error::config(format!("application `{service}` cannot start: {one}"))),
            many => {
                let list = many.join("\n  - ");
                Err(Error::config(format!("application `{service}` cannot start:\n  - {list}")))
            }
        }
    }
}

/// Checks that anything can be fetched and run at all.
pub(super) fn check_limits(limits: Limits, mistakes: &mut Mistakes) {
    let Limits { concurrency, events, bytes } = limits;
    for (name, limit) in [("concurrency", concurrency), ("events", events), ("bytes", bytes)] {
        if limit == 0 {
            mistakes
                .add(format!("its limits allow 0 {name}, so that nothing would ever run: give at least 1"));
        }
    }
}

/// Checks one handler against its bus and the application.
pub(super) fn check_handler(
    entry: &HandlerEntry,
    bus: &Bus,
    settings: &Settings,
    states: &States,
    mistakes: &mut Mistakes,
) {
    let (spec, can) = (&entry.spec, bus.capabilities());
    let (name, backend) = (spec.name(), bus.transport().describe());
    let retry = spec.retry.unwrap_or(settings.retry);
    let mut check = |wrong: bool, say: String| {
        if wrong {
            mistakes.add(format!("handler `{name}` {say}"));
        }
    };
    check(
        spec.ordered && !can.ordered,
        format!(
            "needs the events of a key in order, and {backend} keeps none: take the event from an ordered bus, \
             or drop `ordered` and make the handler indifferent to order",
        ),
    );
    check(
        spec.ordered && retry.delayed,
        "asks for `ordered` and for delayed retries, which let later events overtake: drop one of the two"
            .to_owned(),
    );
    check(
        retry.delayed && !can.delayed_retry,
        format!(
            "asks for delayed retries, which {backend} does not have: drop `delayed` to retry in the lane"
        ),
    );
    check(
        spec.broadcast && !can.broadcast,
        format!("asks for `broadcast`, which {backend} does not have: use a bus that has it"),
    );
    check(
        spec.broadcast && retry.delayed,
        "is `broadcast` and asks for delayed retries, which would come to other members: drop one of the two"
            .to_owned(),
    );
    check(retry.attempts == 0, "is given 0 attempts: the first one counts, so give it at least 1".to_owned());
    check(spec.concurrency == Some(0), "is given a concurrency of 0: give it at least 1".to_owned());
    check(
        spec.batch.is_some_and(|batch| batch.size == 0),
        "is given batches of 0 events: give it at least 1".to_owned(),
    );
    check(
        spec.batch.is_some() && !entry.is_batch,
        "is given a batch size, and takes single events: take `Batch<T>`, or drop `batch`".to_owned(),
    );
    check(
        !spec.topics.is_empty() && matches!(entry.accepts, Accepts::Types(_)),
        format!(
            "is given topic `{}`, and its event types say on which topics they are: drop `topic`, or take `RawEvent`",
            spec.topics.join("`, `"),
        ),
    );
    check(
        spec.exactly_once && !can.transactional,
        format!(
            "is `exactly_once`, and {backend} has no transactions: use a bus that has them, or make the handler \
             `idempotent` and drop `exactly_once`",
        ),
    );
    let transaction = entry.transactions().next().map(|asked| asked.name);
    if let Some(name) = transaction {
        check(
            spec.exactly_once,
            format!(
                "is `exactly_once` and asks for `{name}`: a transaction of the broker and one of the database cannot be one, so \
                 drop `exactly_once`; its work and its outputs are one by `{name}`",
            ),
        );
        check(
            spec.broadcast,
            format!(
                "is `broadcast` and asks for `{name}`: members of its group would share one mark for an event, and only one of \
                 them would handle it, so choose one of the two",
            ),
        );
        check(
            entry.transactions().count() > 1,
            format!(
                "asks for more than one transaction: an event is handled in one, so ask for `{name}` alone"
            ),
        );
    }
    check(
        spec.exactly_once && transaction.is_none() && !matches!(spec.idempotency, Idempotency::None),
        "is `exactly_once` and `idempotent`: the mark of an idempotent handler is no part of the broker's transaction, \
         so choose one of the two"
            .to_owned(),
    );
    check(
        spec.exactly_once && spec.broadcast,
        "is `exactly_once` and `broadcast`: members of a broadcast group settle nothing that could be part of a \
         transaction, so choose one of the two"
            .to_owned(),
    );
    for requirement in &entry.requirements {
        let name = requirement.name;
        match requirement.need {
            Need::State => check(
                !states.contains(requirement.id),
                format!(
                    "asks for `State<{name}>`, and the application has no such state: add it with `.state(…)`"
                ),
            ),
            Need::Transaction => check(
                settings.inbox_for(requirement).is_none(),
                format!(
                    "asks for `{name}`, and the application has no inbox that gives it: add one of its database with `.inbox(…)`"
                ),
            ),
        }
    }
    let remembers = !matches!(spec.idempotency, Idempotency::None);
    check(
        remembers && transaction.is_none() && can.durable && settings.processed_events().is_none(),
        format!(
            "is `idempotent`, and {backend} outlives this process while the default memory of handled events does not: \
             give it an inbox of your database with `.inbox(…)` (`jitney::sql::PostgresInbox`, `SqliteInbox`), or another store with \
             `.processed_events(…)`; `jitney::processed::MemoryProcessedEvents` is one that forgets on restart",
        ),
    );
    let forgets = || settings.processed_events().is_some_and(|events| events.forgets_on_restart());
    check(
        remembers && transaction.is_none() && can.durable && settings.processed.is_none() && forgets(),
        format!(
            "is `idempotent`, and {backend} outlives this process while the inbox, where it would be marked, forgets on restart: \
             choose a store with `.processed_events(…)`, or an inbox that is kept; `MemoryProcessedEvents` is one that forgets",
        ),
    );
    if let Start::Positions(_) | Start::Time(_) = settings.start {
        check(
            !can.replayable,
            format!("is to start at a given place, and {backend} cannot go back: drop `start_at`"),
        );
    }
}

/// Checks the handlers of one group against each other.
pub(super) fn check_group(
    group: &str,
    entries: &[&HandlerEntry],
    bus: &Bus,
    settings: &Settings,
    mistakes: &mut Mistakes,
) {
    let names = |wanted: &dyn Fn(&HandlerEntry) -> bool| {
        let names =
            entries.iter().filter(|entry| wanted(entry)).map(|entry| format!("`{}`", entry.spec.name()));
        names.collect::<Vec<_>>().join(", ")
    };
    let concurrencies: BTreeSet<_> = entries.iter().filter_map(|entry| entry.spec.concurrency).collect();
    if concurrencies.len() > 1 {
        let handlers = names(&|entry| entry.spec.concurrency.is_some());
        mistakes.add(format!(
            "group `{group}`: its handlers {handlers} are given different concurrencies, and lanes belong to the group: \
             give it once",
        ));
    }
    let broadcasts = entries.iter().filter(|entry| entry.spec.broadcast).count();
    if broadcasts > 0 && broadcasts < entries.len() {
        let handlers = names(&|entry| !entry.spec.broadcast);
        mistakes.add(format!(
            "group `{group}`: it is a broadcast group, and its handlers {handlers} are not: give them another group",
        ));
    }
    if entries.iter().any(|entry| entry.spec.exactly_once) {
        let marks = |entry: &HandlerEntry| !matches!(entry.spec.idempotency, Idempotency::None);
        let handlers = names(&|entry| marks(entry) && !entry.spec.exactly_once);
        if !handlers.is_empty() {
            mistakes.add(format!(
                "group `{group}`: it is exactly once, since one of its handlers is, and the marks of its idempotent \
                 handlers {handlers} are no part of the broker's transaction: give them another group",
            ));
        }
    }
    let raw = |entry: &HandlerEntry| matches!(entry.accepts, Accepts::Everything);
    if entries.len() > 1 && entries.iter().any(|entry| raw(entry)) {
        let handlers = names(&raw);
        mistakes.add(format!(
            "group `{group}`: {handlers} takes every event (`RawEvent`) and needs a group to itself",
        ));
    }
    if bus.capabilities().ordered && entries.iter().any(|entry| entry.spec.ordered) {
        let retry = |entry: &HandlerEntry| entry.spec.retry.unwrap_or(settings.retry);
        let delayed = |entry: &HandlerEntry| retry(entry).delayed && !entry.spec.ordered;
        let handlers = names(&delayed);
        if !handlers.is_empty() {
            mistakes.add(format!(
                "group `{group}`: {handlers} retries with delays, which let later events of a key overtake, \
                 and another handler of the group is `ordered`: give it another group",
            ));
        }
    }
}
