//! Messages that are published as one: all of them or none.

use std::pin::pin;
use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::transport::{Published, Transport};
use jitney_memory::{Faults, Memory, Semantics};

use crate::support::*;

/// Publishes a body to each of two topics as one.
async fn both(memory: &Memory, body: u32) -> Published {
    memory.publish_atomically(vec![outbound("orders", body), outbound("parcels", body)]).await
}

fn error(published: Published) -> jitney_core::Error {
    published.into_result().unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_batch_over_topics_is_stored_in_its_order() {
    let memory = seeded(1).build();
    let batch = [("orders", 1), ("parcels", 2), ("orders", 3), ("parcels", 4)];
    let batch = batch.map(|(topic, body)| outbound(topic, body)).to_vec();
    memory.publish_atomically(batch).await.into_result().unwrap();
    assert_eq!((stored(&memory, "orders"), stored(&memory, "parcels")), (vec![1, 3], vec![2, 4]));
    memory.publish_atomically(Vec::new()).await.into_result().unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_kafkas_rules_know_transactions() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let knows = semantics == Semantics::Kafka;
        assert_eq!(memory.capabilities().transactional, knows, "{semantics:?}");
        let published = both(&memory, 1).await.into_result();
        assert_eq!(published.is_ok(), knows, "{semantics:?}");
        if let Err(error) = published {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("publishing 2 messages as one"), "{error}");
            assert!(memory.topics().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_message_that_is_refused_takes_all_with_it() {
    let memory = seeded(1).build();
    let mut batch = vec![outbound("orders", 1), outbound("parcels", 2)];
    batch[1].message.body = vec![b'0'; 2 << 20].into();
    assert_eq!(error(memory.publish_atomically(batch).await).kind(), ErrorKind::Rejected);
    assert!(memory.topics().is_empty(), "not even a topic is left");

    let memory = seeded(1).strict_topics(true).build();
    assert!(error(both(&memory, 1).await).to_string().contains("there is no topic `orders`"));
    memory.close(Duration::ZERO).await.unwrap();
    assert_eq!(error(both(&memory, 1).await).kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_for_room_for_all_of_it() {
    let memory = seeded(1).capacity(2).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    let mut other = Member::join(&memory, subscription("shipping", &["parcels"])).await;
    publish(&memory, "orders", "k", [0]).await;
    publish(&memory, "parcels", "k", 10..12).await;
    let batch = vec![outbound("orders", 1), outbound("orders", 2), outbound("parcels", 3)];
    let mut waiting = pin!(memory.publish_atomically(batch));
    assert!(!is_done(waiting.as_mut()).await, "there is room for one of them");
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    assert!(!is_done(waiting.as_mut()).await, "the other topic is full");
    assert_eq!(stored(&memory, "orders"), [0]);
    publish(&memory, "orders", "k", [4]).await;
    let deliveries = other.deliveries().await;
    other.ack(&deliveries).await;
    assert!(!is_done(waiting.as_mut()).await, "the first one is full again");
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    assert!(is_done(waiting.as_mut()).await);
    assert_eq!((stored(&memory, "orders"), stored(&memory, "parcels")), (vec![0, 4, 1, 2], vec![10, 11, 3]));
}

#[tokio::test(start_paused = true)]
async fn a_batch_larger_than_a_topic_finds_room_when_nothing_is_held() {
    let memory = seeded(1).capacity(2).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", [0]).await;
    let mut waiting = pin!(memory.publish_atomically((1..6).map(|body| outbound("orders", body)).collect()));
    assert!(!is_done(waiting.as_mut()).await);
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    assert!(is_done(waiting.as_mut()).await);
    assert_eq!(bodies(&member.deliveries().await), [1, 2, 3, 4, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_waits_behind_those_that_came_before() {
    let memory = seeded(1).capacity(1).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", [0]).await;
    let mut first = pin!(publish(&memory, "orders", "k", [1]));
    assert!(!is_done(first.as_mut()).await);
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    let mut second = pin!(both(&memory, 2));
    assert!(!is_done(second.as_mut()).await, "there is room, but not for the last in the queue");
    assert!(is_done(first.as_mut()).await);
    let mut third = pin!(publish(&memory, "orders", "k", [3]));
    assert!(!is_done(third.as_mut()).await);
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    assert!(!is_done(third.as_mut()).await);
    assert!(is_done(second.as_mut()).await);
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    assert!(is_done(third.as_mut()).await, "whoever leaves a queue leaves nobody behind");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_waits_is_told_of_the_close() {
    let memory = seeded(1).capacity(1).build();
    let _member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", [0]).await;
    let mut waiting = pin!(both(&memory, 1));
    assert!(!is_done(waiting.as_mut()).await);
    memory.close(Duration::ZERO).await.unwrap();
    let error = error(waiting.await);
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("publishing 2 messages as one"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_fault_strikes_the_whole_batch() {
    let memory = seeded(1).faults(Faults { reject: 1.0, ..Faults::none() }).build();
    for _ in 0..3 {
        let error = error(both(&memory, 1).await);
        assert!(error.kind() == ErrorKind::Rejected && error.is_retryable(), "{error}");
    }
    both(&memory, 1).await.into_result().unwrap();
    assert_eq!((stored(&memory, "orders"), stored(&memory, "parcels")), (vec![1], vec![1]));

    let memory = seeded(1).faults(Faults { unknown: 1.0, per_message: 1, ..Faults::none() }).build();
    for body in 0..100 {
        assert_eq!(error(both(&memory, body).await).kind(), ErrorKind::Unknown);
        assert_eq!(stored(&memory, "orders"), stored(&memory, "parcels"), "all of them or none");
    }
    let all = stored(&memory, "orders").len();
    assert!((25..75).contains(&all), "{all} of 100");
}
