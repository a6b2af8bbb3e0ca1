//! The tables of guarantees and capabilities in the documentation are those of the code: made from the capabilities of each
//! backend and from the checks of the conformance suite, and compared with what is written.
//!
//! `JITNEY_WRITE_DOCS=1 cargo test --all-features --test guarantees` writes them.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use jitney::Capabilities;
use jitney::memory::{Memory, Semantics};
use jitney::transport::Transport;
use jitney_testkit::conformance::{Promise, promises};
use serde_json::Value;

/// The page that holds the tables.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guarantees.md");

/// Each backend by the name of its column.
fn backends() -> Vec<(&'static str, Capabilities)> {
    let memory = Memory::builder().semantics(Semantics::Kafka).build();
    vec![
        ("memory", memory.capabilities().clone()),
        ("Kafka", jitney::kafka::Kafka::builder("localhost:9092").capabilities()),
        ("RabbitMQ", jitney::rabbitmq::RabbitMq::builder("localhost").capabilities()),
        ("EventBridge", jitney::eventbridge::EventBridge::builder("default").archive("all").capabilities()),
    ]
}

/// The fields of [`Capabilities`], as the table has them, and what each one says.
const CAPABILITIES: &[(&str, &str)] = &[
    ("ordered", "events of one key reach a group in their order"),
    ("durable", "what was acked outlives the process, and the broker's"),
    ("replayable", "a group can go back"),
    ("backlog", "a new group gets what was published before"),
    ("transactional", "outputs and settling are one (`exactly_once`)"),
    ("delayed_retry", "the broker holds a retry back"),
    ("broadcast", "groups in which every member gets every event"),
    ("lag", "how far a group is behind is known"),
    ("counts_deliveries", "each delivery knows how many there were"),
    ("max_message_bytes", "the largest message, in bytes"),
    ("max_batch", "the most deliveries at once"),
    ("settle_within", "a delivery is taken back that is neither settled nor kept alive for so long"),
];

fn shown(capabilities: &Capabilities, field: &str) -> String {
    let fields = serde_json::to_value(capabilities).unwrap();
    match &fields[field] {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Null => "no limit".to_owned(),
        Value::Object(duration) => format!("{} s", duration["secs"]),
        value => value.to_string(),
    }
}

fn table(rows: impl Iterator<Item = Vec<String>>, titles: &[&str]) -> String {
    let mut text = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).unwrap();
    }
    text
}

fn checks_of(capability: Option<&str>) -> impl Iterator<Item = Promise> {
    promises().filter(move |promise| promise.capability == capability)
}

fn page() -> String {
    let backends = backends();
    let names = backends.iter().map(|(name, _)| *name);
    let titles: Vec<_> = ["capability", "says"].into_iter().chain(names).chain(["proved by"]).collect();
    let capabilities = CAPABILITIES.iter().map(|(field, says)| {
        let values = backends.iter().map(|(_, capabilities)| shown(capabilities, field));
        let checks: Vec<_> = checks_of(Some(field)).map(|promise| format!("`{}`", promise.check)).collect();
        let cells = [format!("`{field}`"), (*says).to_owned()].into_iter();
        cells.chain(values).chain([checks.join(", ")]).collect()
    });
    let capabilities = table(capabilities, &titles);
    let guarantees =
        checks_of(None).map(|promise| vec![promise.words.to_owned(), format!("`{}`", promise.check)]);
    let guarantees = table(guarantees, &["guarantee", "proved by"]);
    format!("{}\n{capabilities}\n{}\n{guarantees}{END}", HEAD.trim_start(), MIDDLE.trim_start())
}

const HEAD: &str = "
# Guarantees and capabilities

This page is made from the capabilities that each backend declares (`Transport::capabilities`) and from the checks of the
conformance suite; `tests/guarantees.rs` compares it with them. A backend's suite runs on a real server and fails where a row
says more than the backend does: `tests/conformance_*.rs`. What an application asks for and its bus has not is refused when it
starts, with the handler, the backend and the ways out in the message.

## What a backend may have

Defaults are shown, but EventBridge with an archive (`archive=NAME`), without which it cannot go back. RabbitMQ keeps no order with
`order=none`, and limits can be set. The memory bus stands in for each of the others with `memory://?semantics=kafka|rabbitmq|eventbridge`; here it has Kafka's rules.
";

const MIDDLE: &str = "
## What every backend keeps

Each sentence is a check that runs on every backend.
";

const END: &str = "
## What the handler's database adds

Each sentence is a check that runs on PostgreSQL and SQLite, whatever the bus; see [the inbox](inbox.md).

| guarantee of a handler with `Tx` | proved by |
|---|---|
| its work, its outputs and the mark of its event are one | `what_a_handler_writes_and_returns_is_committed_with_its_mark` |
| an attempt that fails, panics or takes too long leaves nothing | `an_attempt_that_fails_leaves_nothing` |
| a process that is killed before the commit has handled nothing | `a_process_that_is_killed_before_the_commit_has_handled_nothing` |
| one that is killed behind the commit has handled its event | `a_process_that_is_killed_behind_the_commit_has_handled_its_event` |
| of two members with one event at once, one handles it | `of_two_members_with_one_event_at_once_one_handles_it` |
| a natural key is handled once, whatever events carry it | `a_natural_key_is_handled_once_whatever_events_carry_it` |
";

#[test]
fn the_page_says_what_the_backends_say() {
    let page = page();
    if std::env::var_os("JITNEY_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let written = std::fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    assert!(
        written == page,
        "docs/guarantees.md is not what the backends say; write it anew with \
         `JITNEY_WRITE_DOCS=1 cargo test --all-features --test guarantees`"
    );
}

#[test]
fn every_capability_has_a_row_and_a_check() {
    let fields = serde_json::to_value(Capabilities::none("x")).unwrap();
    let mut missing: Vec<_> =
        fields.as_object().unwrap().keys().filter(|field| *field != "backend").collect();
    missing.retain(|field| !CAPABILITIES.iter().any(|(name, _)| name == field));
    assert!(missing.is_empty(), "without a row: {missing:?}");
    let unproved: Vec<_> =
        CAPABILITIES.iter().filter(|(name, _)| checks_of(Some(name)).next().is_none()).collect();
    assert!(unproved.is_empty(), "without a check: {unproved:?}");
}
