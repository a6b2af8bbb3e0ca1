//! What an append takes with it: snapshot, outbox, inline projection; and what goes into the outbox otherwise.

use jitney::Env;
use jitney::memory::Memory;
use jitney::outbox::{OutboxEvent, Relay};
use jitney::prelude::*;
use jitney::processed::ProcessedKey;
use jitney::sourcing::{ErrorKind, EventStore, Repository, SnapshotPolicy};

use crate::parcels::{Deliver, MIRRORED, NAME, Parcel, addressed, append, name_of, stream};
use crate::setting::{Database, PATIENCE};

fn deliver(parcel: &str) -> OutboxEvent {
    OutboxEvent::new(&Env::system(), &Deliver { parcel: parcel.to_owned(), name: name_of("c-1") }).unwrap()
}

pub(crate) async fn what_is_stored_with_an_append_is_in_no_table_as_plain_text(database: &impl Database) {
    let parcels = Repository::<Parcel>::new(database.store().clone());
    let parcels = parcels.with_snapshots_of(SnapshotPolicy::every(1), "a name").unwrap();
    parcels.handle("p-1", addressed("p-1", "c-1")).await.unwrap();
    let parcel = parcels.load("p-1").await.unwrap();
    assert_eq!(parcel.name, Some(name_of("c-1")));
    database.assert_sealed(&["events", "outbox", "snapshots"], &[]).await;
}

pub(crate) async fn what_is_put_into_the_outbox_is_sealed_there_and_published_so(database: &impl Database) {
    let inbox = database.inbox(database.store());
    let begun = inbox.begin("couriers", &[ProcessedKey::event_id("e-1")]).await.unwrap();
    // What a handler has returned.
    begun.unit.commit(vec![deliver("p-1")]).await.unwrap();
    database.in_transaction(append("e-2", &addressed("p-2", "c-1")), deliver("p-2")).await.unwrap();
    let outgoing = database.outgoing().await;
    assert_eq!(outgoing.len(), 3, "{outgoing:?}");
    assert!(outgoing.iter().all(|event| event.contains(MIRRORED) && !event.contains(NAME)), "{outgoing:?}");
    database.assert_sealed(&["events", "outbox"], &[]).await;
    let memory = Memory::new();
    let bus = Bus::new(memory.clone());
    let relayed = Relay::new(database.outbox(database.store()), &bus).drain().await.unwrap();
    assert_eq!((relayed.published, relayed.parked, relayed.left), (3, 0, 0));
}

pub(crate) async fn what_is_appended_in_a_transaction_is_sealed(database: &impl Database) {
    let event =
        OutboxEvent::new(&Env::system(), &crate::parcels::Weighed { parcel: "p-1".to_owned(), grams: 7 });
    database.in_transaction(append("e-1", &addressed("p-1", "c-1")), event.unwrap()).await.unwrap();
    database.assert_sealed(&["events", "outbox"], &[]).await;
    let parcel = Repository::<Parcel>::new(database.store().clone()).load("p-1").await.unwrap();
    assert_eq!(parcel.name, Some(name_of("c-1")));
}

pub(crate) async fn what_an_inline_projection_is_given_is_opened(database: &impl Database) {
    let store = database.inline().await.unwrap();
    store.append(append("e-1", &addressed("p-1", "c-1"))).await.unwrap();
    assert_eq!(database.read_labels().await.get("p-1").map(String::as_str), Some(NAME));
    database.assert_sealed(&["events"], &["labels"]).await;
}

pub(crate) async fn what_becomes_inline_is_given_what_was_there_opened(database: &impl Database) {
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    let store = Env::system().timeout(PATIENCE, database.inline()).await.unwrap().unwrap();
    assert_eq!(database.read_labels().await.get("p-1").map(String::as_str), Some(NAME));
    store.append(append("e-2", &addressed("p-2", "c-1"))).await.unwrap();
    assert_eq!(database.read_labels().await.len(), 2);
}

pub(crate) async fn what_nothing_seals_goes_into_no_outbox(database: &impl Database) {
    let plain = database.plain();
    let error = plain.append(append("e-1", &addressed("p-1", "c-1"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    let inbox = database.inbox(&plain);
    let begun = inbox.begin("couriers", &[ProcessedKey::event_id("e-1")]).await.unwrap();
    let error = begun.unit.commit(vec![deliver("p-1")]).await.unwrap_err();
    assert_eq!(error.kind(), jitney::ErrorKind::Config, "{error:?}");
    assert!(!error.is_retryable() && error.to_string().contains("sealed_by"), "{error}");
    assert!(database.outgoing().await.is_empty());
    assert!(database.store().stream_info(&stream("p-1")).await.unwrap().is_none());
    let begun = inbox.begin("couriers", &[ProcessedKey::event_id("e-1")]).await.unwrap();
    assert_eq!(begun.handled, [false], "what could not be stored was rolled back");
}
