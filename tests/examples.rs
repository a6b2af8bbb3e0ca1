//! The short examples do what they say when they are run, and their own tests pass.

/// Cargo builds an example either as a program or as tests: its tests are run from here.
#[path = "../examples/bank_account.rs"]
#[allow(dead_code, reason = "it is a program")]
mod of_bank_account;
#[path = "../examples/event_notification.rs"]
#[allow(dead_code, reason = "it is a program")]
mod of_event_notification;
#[path = "../examples/event_state_transfer.rs"]
#[allow(dead_code, reason = "it is a program")]
mod of_event_state_transfer;
#[path = "../examples/idempotent_consumer.rs"]
#[allow(dead_code, reason = "it is a program")]
mod of_idempotent_consumer;
#[path = "../examples/outbox_axum.rs"]
#[allow(dead_code, reason = "it is a program")]
mod of_outbox_axum;
#[path = "../examples/read_your_writes.rs"]
#[allow(dead_code, reason = "it is a program")]
mod of_read_your_writes;

use std::path::PathBuf;
use std::process::Command;

/// What the example `name`, which cargo has built beside this test, prints.
fn run(name: &str) -> String {
    let test = std::env::current_exe().expect("a test knows where it is");
    let target: PathBuf = test.ancestors().nth(2).expect("it is in target/…/deps").into();
    let example = target.join("examples").join(name);
    let output = Command::new(&example).output().unwrap_or_else(|error| {
        panic!("{}: {error}; build the examples with `cargo build --examples`", example.display())
    });
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {}\n{printed}", String::from_utf8_lossy(&output.stderr));
    printed
}

#[test]
fn counter() {
    assert_eq!(run("counter"), "5 visits in 2 events\n");
}

#[test]
fn bank_account() {
    let lines = [
        "one of two withdrawals was refused: 40 cents are missing",
        "530 cents; handled before: false",
        "530 cents; handled before: true",
        "100 cents behind the first deposit, of Some(\"Ada\")",
    ];
    assert_eq!(run("bank_account").lines().collect::<Vec<_>>(), lines);
}

#[test]
fn personal() {
    let lines = [
        "0 of 2 messages show an address",
        "there was a key: true",
        "ALFKI: (a former customer)",
        "ANATR: Avda. de la Constitución 2222",
    ];
    assert_eq!(run("personal").lines().collect::<Vec<_>>(), lines);
}

#[test]
fn idempotent_consumer() {
    assert_eq!(run("idempotent_consumer"), "Ada has 500 cents\nAda has 530 cents\n");
}

#[test]
fn cqrs() {
    assert_eq!(run("cqrs"), "Bob: the seat is taken by Ada\nAda sits on 1A and 7C\n");
}

#[test]
fn event_notification() {
    assert_eq!(run("event_notification"), "the tag says 275 cents\n");
}

#[test]
fn event_state_transfer() {
    assert_eq!(run("event_state_transfer"), "the parcel goes to Ada, 4 Engine Street\n");
}

#[test]
fn read_model_redb() {
    let balances = r#"{"ada": 530, "bo": 70}"#;
    assert_eq!(run("read_model_redb"), format!("{balances}\n{balances}, built anew\n"));
}

#[test]
fn read_your_writes() {
    assert_eq!(run("read_your_writes"), "tea is there: true\nmilk is there: true\n");
}

#[test]
fn saga() {
    let lines = ["o-1: fulfilled", "o-2: cancelled, payment refused", "o-2: stock released"];
    assert_eq!(run("saga").lines().collect::<Vec<_>>(), lines);
}
