//! What the contract of an application is about: the events of its handlers.

use jitney::contract::{self, Accept, Contract, ErrorKind, Events, ProblemKind};
use jitney::memory::Memory;
use jitney::prelude::*;

#[derive(Serialize, Deserialize, schemars::JsonSchema, DomainEvent)]
#[event(aggregate = "Invoice", id = id, version = "2.0", upcast_from = SentV1)]
struct Sent {
    id: String,
    cents: u64,
}

#[derive(Serialize, Deserialize, schemars::JsonSchema, DomainEvent)]
#[event(aggregate = "Invoice", id = id, type = "Sent")]
struct SentV1 {
    id: String,
}

impl From<SentV1> for Sent {
    fn from(old: SentV1) -> Self {
        Sent { id: old.id, cents: 0 }
    }
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Invoice", id = id)]
struct Forgotten {
    id: String,
}

#[handler(group = "books")]
async fn book(_: Sent) {}

#[handler(group = "other")]
async fn other(_: Forgotten) {}

fn app(handlers: impl jitney::handler::IntoHandlers) -> App {
    App::new("contracts", Bus::new(Memory::builder().build())).handlers(handlers)
}

fn fresh(name: &str) -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("application_contracts").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    folder
}

#[tokio::test]
async fn an_application_locks_what_its_handlers_take_old_versions_included() {
    let folder = fresh("handlers");
    let contract = |events| Contract::new(&folder, events).accept(Accept::Nothing).locked(false);
    let verified = contract(Events::of_app(app(handlers![book])).unwrap()).verify().unwrap();
    assert_eq!(verified.versions, 2);
    assert!(folder.join("Invoice/Sent/1.0.json").is_file() && folder.join("Invoice/Sent/2.0.json").is_file());
    contract(contract::events![Sent, SentV1]).verify().unwrap();
}

#[tokio::test]
async fn an_event_that_forgot_its_schema_is_told_with_the_fix() {
    let events = Events::of_app(app(handlers![book, other])).unwrap();
    let error =
        Contract::new(fresh("forgotten"), events).accept(Accept::Nothing).locked(false).verify().unwrap_err();
    assert_eq!((error.kind(), error.problems().len()), (ErrorKind::Contract, 1));
    let problem = &error.problems()[0];
    assert_eq!((problem.kind(), problem.event()), (ProblemKind::NoSchema, "Forgotten"));
    assert!(problem.fix().contains("schemars::JsonSchema"), "{problem}");
}
