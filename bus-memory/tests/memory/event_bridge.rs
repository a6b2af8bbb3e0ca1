//! EventBridge's rules: no order, small batches, and a time-out for whoever does not settle.

use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::transport::Mode;
use jitney_memory::{Memory, Semantics};

use crate::support::*;

async fn bus() -> (Memory, Member) {
    let memory = seeded(1).semantics(Semantics::EventBridge).build();
    let member = Member::join(&memory, subscription("billing", &["orders"])).await;
    (memory, member)
}

#[tokio::test(start_paused = true)]
async fn at_most_ten_come_at_once_and_in_no_order() {
    let (memory, mut member) = bus().await;
    publish(&memory, "orders", "k", 0..100).await;
    let mut seen = Vec::new();
    for _ in 0..10 {
        let deliveries = member.deliveries().await;
        assert_eq!(deliveries.len(), 10);
        seen.extend(bodies(&deliveries));
    }
    assert_ne!(seen, (0..100).collect::<Vec<_>>());
    assert_eq!(sorted(seen), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_settled_in_time_comes_again() {
    let (memory, mut member) = bus().await;
    publish(&memory, "orders", "k", [7]).await;
    let start = memory.env().instant();
    let first = member.deliveries().await;
    let second = member.deliveries().await;
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!((body(&second[0]), second[0].attempt), (7, 2));
    member.ack(&first).await;
    assert_eq!(memory.pending("billing"), 1, "the first receipt is no longer good");
    member.ack(&second).await;
    assert!(memory.is_idle());
}

#[tokio::test(start_paused = true)]
async fn keep_alive_starts_the_time_anew() {
    let (memory, mut member) = bus().await;
    publish(&memory, "orders", "k", [7]).await;
    let start = memory.env().instant();
    let first = member.deliveries().await;
    memory.env().sleep(Duration::from_secs(20)).await;
    member.settler.keep_alive(&[first[0].token]).await.unwrap();
    memory.env().sleep(Duration::from_secs(20)).await;
    assert!(member.now(MANY).is_none());
    let second = member.deliveries().await;
    assert_eq!(start.elapsed().as_secs(), 50);
    member.ack(&second).await;
}

#[tokio::test(start_paused = true)]
async fn there_are_no_broadcast_groups() {
    let (memory, _member) = bus().await;
    let mut broadcast = subscription("cache", &["prices"]);
    broadcast.mode = Mode::Broadcast;
    let error = Member::try_join(&memory, broadcast).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("eventbridge"), "{error}");
}
