//! Kafka's rules: partitions, order, and commits up to the lowest unsettled offset.

use std::time::Duration;

use jitney_core::admin::{Admin, Lag};
use jitney_core::transport::{Mode, OffsetTracker, Position, Start};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_key_lies_where_kafka_would_put_it() {
    let memory = seeded(1).partitions(8).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    for key in ["21", "foobar", "abc"] {
        publish(&memory, "orders", key, [0]).await;
    }
    let mut placed: Vec<_> = member
        .deliveries()
        .await
        .into_iter()
        .map(|delivery| (delivery.message.key.clone().unwrap(), delivery.partition))
        .collect();
    placed.sort();
    // (hash & 0x7fffffff) % 8 of the hashes in Kafka's `UtilsTest`
    let expected = [("21", -973_932_308_i32), ("abc", 479_470_107), ("foobar", -790_332_482)]
        .map(|(key, hash)| (key.into(), (hash & i32::MAX).cast_unsigned() % 8));
    assert_eq!(placed, expected);
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_key_go_round() {
    let memory = seeded(1).partitions(3).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "", 0..7).await;
    let mut counts = [0; 3];
    for delivery in member.deliveries().await {
        counts[delivery.partition as usize] += 1;
        assert_eq!(body(&delivery) % 3, delivery.partition);
    }
    assert_eq!(counts, [3, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_partition_is_delivered_in_order() {
    let memory = seeded(1).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    for body in 0..100 {
        publish(&memory, "orders", &format!("key-{}", body % 7), [body]).await;
    }
    let mut next = [0; 4];
    for delivery in member.deliveries_now() {
        let expected = &mut next[delivery.partition as usize];
        assert_eq!(delivery.position, Some(Position(*expected)));
        *expected += 1;
    }
    assert_eq!(next.iter().sum::<u64>(), 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_above_the_lowest_unsettled_offset_comes_again() {
    let memory = seeded(1).build();
    let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", 0..5).await;
    let deliveries = first.deliveries().await;
    first.ack(&[deliveries[0].clone(), deliveries[2].clone(), deliveries[4].clone()]).await;
    assert_eq!(memory.pending("billing"), 4);
    drop(first);
    let mut second = Member::join(&memory, subscription("billing", &["orders"])).await;
    let again = second.deliveries().await;
    assert_eq!(bodies(&again), [1, 2, 3, 4]);
    assert!(again[0].epoch > deliveries[0].epoch);
}

#[tokio::test(start_paused = true)]
async fn a_partition_waits_when_its_lowest_offset_stays_unsettled_for_too_long() {
    let memory = seeded(1).partitions(1).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    let gap = u32::try_from(OffsetTracker::MAX_GAP).unwrap();
    publish(&memory, "orders", "k", 0..gap + 5).await;
    let mut slow = None;
    let mut seen = 0;
    while let Some(event) = member.now(MANY) {
        let jitney_core::transport::SourceEvent::Deliveries(mut deliveries) = event else {
            panic!("{event:?}")
        };
        seen += deliveries.len();
        slow = slow.or_else(|| Some(deliveries.remove(0)));
        member.ack(&deliveries).await;
    }
    assert_eq!(seen, OffsetTracker::MAX_GAP);
    member.ack(&[slow.unwrap()]).await;
    assert_eq!(member.deliveries_now().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_retry_lies_beside_the_log_and_is_overtaken() {
    let memory = seeded(1).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", 0..2).await;
    let deliveries = member.deliveries().await;
    member.retry(&deliveries[0], Duration::from_secs(1)).await;
    member.ack(&deliveries[1..]).await;
    publish(&memory, "orders", "k", [2]).await;
    assert_eq!(bodies(&member.deliveries().await), [2]);
    // It outlives the member that asked for it.
    drop(member);
    let mut other = Member::join(&memory, subscription("billing", &["orders"])).await;
    assert_eq!(bodies(&other.deliveries().await), [2]);
    let retried = other.deliveries().await;
    assert_eq!((body(&retried[0]), retried[0].attempt), (0, 2));
    drop(other);
    let mut third = Member::join(&memory, subscription("billing", &["orders"])).await;
    assert_eq!(bodies(&third.deliveries().await), [0, 2], "an unsettled retry comes again");
}

#[tokio::test(start_paused = true)]
async fn lag_is_told_per_topic_and_partition() {
    let memory = seeded(1).partitions(2).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders", "payments"])).await;
    publish(&memory, "orders", "", 0..3).await;
    publish(&memory, "payments", "", [9]).await;
    let lag = |topic: &str, partition, events| Lag { topic: topic.to_owned(), partition, events };
    let expected = [lag("orders", 0, 2), lag("orders", 1, 1), lag("payments", 0, 1), lag("payments", 1, 0)];
    assert_eq!(memory.lag("billing").await.unwrap(), expected);
    let deliveries = member.deliveries().await;
    member.retry(&deliveries[0], Duration::from_secs(1)).await;
    assert_eq!(memory.pending("billing"), 4, "a delayed retry is behind, too");
    member.ack(&deliveries[1..]).await;
    assert_eq!(memory.pending("billing"), 1);
    let error = memory.lag("nobody").await.unwrap_err();
    assert!(error.to_string().contains("there is no group `nobody`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn every_member_of_a_broadcast_group_gets_everything_and_leaves_nothing() {
    let memory = seeded(1).build();
    let broadcast = || {
        let mut subscription = subscription("cache", &["prices"]);
        (subscription.mode, subscription.start) = (Mode::Broadcast, Start::Latest);
        subscription
    };
    publish(&memory, "prices", "k", [0]).await;
    let mut first = Member::join(&memory, broadcast()).await;
    let mut second = Member::join(&memory, broadcast()).await;
    publish(&memory, "prices", "k", 1..3).await;
    assert_eq!(memory.pending("cache"), 4);
    for member in [&mut first, &mut second] {
        assert_eq!(bodies(&member.deliveries().await), [1, 2]);
    }
    drop(first);
    assert_eq!(memory.pending("cache"), 2);
    drop(second);
    assert!(memory.is_idle());
    assert!(memory.lag("cache").await.is_err(), "the group has ended");
}
