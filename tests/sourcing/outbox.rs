//! The store in memory with an outbox: what is appended is published, and nothing else.

use jitney::outbox::{MemoryOutbox, OutboxStore};
use jitney::sourcing::{Append, ErrorKind, EventStore, Expected, Filter, MemoryStore, NewEvent, StreamId};

use crate::account::AccountEvent;

fn append(events: impl IntoIterator<Item = (&'static str, AccountEvent)>) -> Append {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let new = |(id, event)| NewEvent::new(jitney::Id::from(id), now, &event).unwrap();
    Append::to(StreamId::new("Account", "a"), Expected::Any, events.into_iter().map(new))
}

/// The bodies of what is in the outbox.
async fn pending(outbox: &MemoryOutbox) -> Vec<String> {
    let shards: Vec<_> = (0..jitney::outbox::SHARDS).filter_map(jitney::outbox::Shard::from_number).collect();
    let pending = outbox.pending(&shards, 100).await.unwrap();
    pending.iter().map(|event| String::from_utf8(event.message.body.to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn what_is_appended_and_asked_for_is_in_the_outbox_with_its_sequence() {
    let outbox = MemoryOutbox::new();
    let deposits = Filter::all().event_types(["Deposited"]);
    let store = MemoryStore::new().with_outbox(outbox.clone(), deposits);
    let opened = ("1", AccountEvent::Opened { owner: "Ada".into() });
    store.append(append([opened, ("2", AccountEvent::Deposited { cents: 7 })])).await.unwrap();
    store.append(append([("3", AccountEvent::Deposited { cents: 8 })])).await.unwrap();
    let published = pending(&outbox).await;
    assert_eq!(published.len(), 2, "{published:?}");
    for (event, [id, sequence, cents]) in published.iter().zip([["2", "2", "7"], ["3", "3", "8"]]) {
        for part in [
            format!(r#""eventId":"{id}""#),
            format!(r#""sequence":{sequence}"#),
            format!(r#""cents":{cents}"#),
        ] {
            assert!(event.contains(&part), "{part}: {event}");
        }
    }
}

#[tokio::test]
async fn an_append_that_is_refused_leaves_nothing_to_publish() {
    let outbox = MemoryOutbox::new();
    let store = MemoryStore::new().with_outbox(outbox.clone(), Filter::all());
    store.append(append([("1", AccountEvent::Deposited { cents: 7 })])).await.unwrap();
    let again =
        append([("2", AccountEvent::Deposited { cents: 8 }), ("1", AccountEvent::Deposited { cents: 7 })]);
    assert_eq!(store.append(again).await.unwrap_err().kind(), ErrorKind::Duplicate);
    assert_eq!(pending(&outbox).await.len(), 1);
}
