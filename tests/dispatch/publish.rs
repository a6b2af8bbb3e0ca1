//! What a publisher is told about the events that it publishes.

use std::error::Error as _;

use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::transport::Published;
use jitney::{Error, ErrorKind, Id};

use super::events::{Placed, message, placed};
use super::scripted::{Scripted, Told};
use super::witness::Log;

/// Answers each message by its place.
fn answering(answers: impl Fn(usize) -> Published + Send + 'static) -> Scripted {
    let (transport, asked) = (Scripted::new(), Log::<()>::new());
    transport.answer(move |_| answers(asked.count(())));
    transport
}

fn unknown() -> Published {
    Published::Unknown(Error::new(ErrorKind::Unknown, "publishing: no answer in time"))
}

fn rejected() -> Published {
    Published::Rejected(Error::new(ErrorKind::Rejected, "publishing: too large"))
}

#[jitney::test]
async fn an_event_that_is_not_answered_is_unknown_and_may_be_tried_again_under_its_id() {
    let transport = answering(|place| if place == 0 { unknown() } else { Published::Acked });
    let (bus, id) = (transport.bus(), Id::from("e-1"));
    let error = bus.publisher().publish_as(id.clone(), &placed("a", 0)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unknown, true));
    assert_eq!(bus.publisher().publish_as(id.clone(), &placed("a", 0)).await.unwrap(), id);
    assert_eq!(transport.told(), vec![Told::Publish("e-1".to_owned()); 2]);
}

#[jitney::test]
async fn an_event_that_is_refused_is_rejected_and_not_worth_another_try() {
    let transport = answering(|_| rejected());
    let error = transport.bus().publish(&placed("a", 0)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Rejected, false));
}

#[jitney::test]
async fn an_event_that_is_too_large_for_the_backend_never_leaves_and_says_so() {
    let transport = Scripted::with(|can| can.max_message_bytes = Some(100));
    let error = transport.bus().publish(&placed("a", 0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    for part in ["`Placed`", "100", "scripted://", "publish a reference"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(transport.told().is_empty());
}

#[jitney::test]
async fn a_batch_tells_of_each_event_what_became_of_it() {
    let transport = answering(|place| match place {
        1 => unknown(),
        3 => rejected(),
        _ => Published::Acked,
    });
    let events: Vec<_> = (0..5).map(|number| placed("a", number)).collect();
    let error = transport.bus().publish_all(&events).await.unwrap_err();
    let failed: Vec<_> = error.failed().iter().map(|(place, error)| (*place, error.kind())).collect();
    assert_eq!(failed, [(1, ErrorKind::Unknown), (3, ErrorKind::Rejected)]);
    assert_eq!(error.ids().len(), 5);
    assert!(!error.is_retryable(), "one of them can never be published");
    assert_eq!(error.to_string(), "publishing a batch: 2 of 5 events failed");
    assert!(error.source().unwrap().to_string().contains("no answer in time"));
}

#[jitney::test]
async fn a_batch_answers_the_ids_in_the_order_of_its_events() {
    let transport = Scripted::new();
    let events: Vec<_> = (0..5).map(|number| placed("a", number)).collect();
    let ids = transport.bus().publish_all(&events).await.unwrap();
    let told: Vec<_> = ids.iter().map(|id| Told::Publish(id.to_string())).collect();
    assert_eq!(transport.told(), told);
}

#[jitney::test]
async fn a_batch_of_which_one_event_cannot_be_written_is_not_sent_and_names_them_all() {
    let larger_than = message("e-0", &placed("a", 0)).size() + 200 + jitney::dead_letter::MAX_ADDED_BYTES;
    let transport = Scripted::with(|can| can.max_message_bytes = Some(larger_than));
    let large = placed(&"a".repeat(1_000), 1);
    let error = transport.bus().publish_all(&[placed("a", 0), large, placed("a", 2)]).await.unwrap_err();
    let failed: Vec<_> = error.failed().iter().map(|(place, error)| (*place, error.is_retryable())).collect();
    assert_eq!(failed, [(0, true), (1, false), (2, true)], "none of them is published");
    assert!(transport.told().is_empty());
}

#[jitney::test]
async fn a_batch_that_is_sent_atomically_is_published_whole_or_not_at_all() {
    let memory = Memory::new();
    let bus = Bus::new(memory.clone());
    let mut batch = bus.publisher().batch();
    let ids = [batch.add(&placed("a", 0)).await, batch.add(&placed("b", 1)).await];
    assert_eq!(batch.send_atomically().await.unwrap(), ids);
    assert_eq!(memory.messages("Order-events").len(), 2);

    let mut batch = bus.publisher().batch();
    batch.add(&placed("a", 2)).await;
    batch.add(&placed(&"a".repeat(2 << 20), 3)).await;
    let error = batch.send_atomically().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(memory.messages("Order-events").len(), 2);
}

#[jitney::test]
async fn a_batch_is_not_sent_atomically_where_the_backend_has_no_transactions() {
    let transport = Scripted::new();
    let mut batch = transport.bus().publisher().batch();
    batch.add(&placed("a", 0)).await;
    let error = batch.send_atomically().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unsupported, false));
    assert!(error.to_string().contains("scripted:// has no transactions"), "{error}");
    assert!(transport.told().is_empty());
}

#[jitney::test]
async fn a_bus_that_is_closed_says_so() {
    let bus = Bus::new(Memory::new());
    bus.close(std::time::Duration::from_secs(1)).await.unwrap();
    let error = bus.publish(&placed("a", 0)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Closed, false));
    let error = bus.publish_all(&[placed("a", 0)]).await.unwrap_err();
    assert_eq!(error.failed()[0].1.kind(), ErrorKind::Closed);
}

#[jitney::test]
async fn an_event_without_a_cause_begins_a_chain_under_its_own_id() {
    let transport = Scripted::new();
    let bus = transport.bus();
    let id = bus.publish(&placed("a", 0)).await.unwrap();
    let sent = transport.sent().remove(0);
    let head = bus.codec().decode(&sent, None).unwrap().head;
    let metadata = &head.metadata;
    assert_eq!((metadata.correlation_id.as_ref(), metadata.causation_id.as_ref()), (Some(&id), None));
}

#[jitney::test]
async fn an_event_that_is_published_because_of_another_one_carries_its_chain_on() {
    let transport = Scripted::new();
    let bus = transport.bus();
    bus.publisher().user("u-1").correlation("c-1").publish(&placed("a", 0)).await.unwrap();
    let sent = std::sync::Arc::new(transport.sent().remove(0));
    let cause: Envelope<Placed> =
        RawEvent::new(bus.codec().decode(&sent, None).unwrap(), sent.clone()).to_envelope().unwrap();
    bus.publisher().caused_by(&cause).publish(&placed("a", 1)).await.unwrap();
    let head = bus.codec().decode(&transport.sent()[1], None).unwrap().head;
    assert_eq!(head.metadata.user_id.as_deref(), Some("u-1"));
    assert_eq!(head.metadata.correlation_id, Some(Id::from("c-1")));
    assert_eq!(head.metadata.causation_id.as_ref(), Some(cause.event_id()));
    assert_ne!(head.event_id, *cause.event_id());
}
