//! Where groups begin, and how they are sent back.

use jiff::Timestamp;
use jitney_core::ErrorKind;
use jitney_core::admin::Admin;
use jitney_core::transport::{PartitionPosition, Position, Start};
use jitney_memory::{Memory, Semantics};

use crate::support::*;

/// Publishes bodies under one key, a second apart from the beginning of 1970 on.
async fn publish_timed(memory: &Memory, bodies: std::ops::Range<u32>) {
    for body in bodies {
        let mut message = message("orders", "k", body.to_string());
        message.time = second(body.into());
        offer(memory, message).await.into_result().unwrap();
    }
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// The partition of key `k`, of four.
const OF_K: u32 = 0;

/// A key in another one.
const OTHER_KEY: &str = "j";

fn place(partition: u32, position: u64) -> Start {
    let topic = "orders".to_owned();
    Start::Positions(vec![PartitionPosition { topic, partition, position: Position(position) }])
}

async fn join(memory: &Memory, group: &str, start: Start) -> Member {
    let mut subscription = subscription(group, &["orders"]);
    subscription.start = start;
    Member::join(memory, subscription).await
}

#[tokio::test(start_paused = true)]
async fn a_new_group_begins_where_it_asks_to() {
    let memory = seeded(1).build();
    publish_timed(&memory, 0..5).await;
    let starts = [
        (Start::Earliest, vec![0, 1, 2, 3, 4, 5]),
        (Start::Latest, vec![5]),
        (place(OF_K, 3), vec![3, 4, 5]),
        (place(OF_K, 99), vec![5]),
        (Start::Time(second(2)), vec![2, 3, 4, 5]),
        (Start::Time(second(99)), vec![5]),
    ];
    let mut members = Vec::new();
    for (number, (start, _)) in starts.iter().enumerate() {
        members.push(join(&memory, &format!("group-{number}"), start.clone()).await);
    }
    publish_timed(&memory, 5..6).await;
    for ((start, expected), member) in starts.iter().zip(&mut members) {
        let deliveries = member.deliveries_now();
        assert_eq!(bodies(&deliveries), *expected, "{start:?}");
        member.ack(&deliveries).await;
    }
    assert!(memory.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_group_that_exists_goes_on_where_it_was() {
    let memory = seeded(1).build();
    let mut first = join(&memory, "billing", Start::Latest).await;
    publish_timed(&memory, 0..2).await;
    let deliveries = first.deliveries().await;
    first.ack(&deliveries[..1]).await;
    drop(first);
    publish_timed(&memory, 2..3).await;
    let mut second = join(&memory, "billing", Start::Latest).await;
    assert_eq!(bodies(&second.deliveries().await), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn seek_sends_a_group_back_and_forward() {
    let memory = seeded(1).build();
    let mut member = join(&memory, "billing", Start::Earliest).await;
    publish_timed(&memory, 0..5).await;
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    for (start, expected) in [
        (Start::Earliest, vec![0, 1, 2, 3, 4]),
        (place(OF_K, 3), vec![3, 4]),
        (Start::Time(second(1)), vec![1, 2, 3, 4]),
    ] {
        memory.seek("billing", start.clone()).await.unwrap();
        assert_eq!(memory.pending("billing"), expected.len() as u64);
        let deliveries = member.deliveries().await;
        assert_eq!(bodies(&deliveries), expected, "{start:?}");
        member.ack(&deliveries).await;
        assert!(memory.is_idle());
    }

    memory.seek("billing", Start::Earliest).await.unwrap();
    let held = member.deliveries().await;
    memory.seek("billing", Start::Earliest).await.unwrap();
    assert_eq!(member.lost().await, held[0].epoch);
    let again = member.deliveries().await;
    member.ack(&held).await;
    assert_eq!(memory.pending("billing"), 5, "what was held is held no more");
    memory.seek("billing", Start::Latest).await.unwrap();
    assert_eq!(member.lost().await, again[0].epoch);
    assert!(memory.is_idle());
    assert!(member.now(MANY).is_none());
    member.ack(&held).await;
    publish_timed(&memory, 5..6).await;
    assert_eq!(bodies(&member.deliveries().await), [5]);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_that_of_one_partition() {
    let memory = seeded(1).build();
    for body in 0..4 {
        publish(&memory, "orders", ["k", OTHER_KEY][body as usize % 2], [body]).await;
    }
    let mut member = join(&memory, "billing", place(OF_K, 1)).await;
    let deliveries = member.deliveries().await;
    assert_eq!(
        sorted(bodies(&deliveries)),
        [1, 2, 3],
        "a new group begins with the oldest where nothing is named"
    );
    member.ack(&deliveries).await;

    publish(&memory, "orders", OTHER_KEY, [4]).await;
    let held = member.deliveries().await;
    memory.seek("billing", place(OF_K, 0)).await.unwrap();
    assert_eq!(bodies(&member.deliveries().await), [0, 2], "only where a place is named");
    member.ack(&held).await;
    assert_eq!(memory.pending("billing"), 2, "the other partition was left to its member");
}

#[tokio::test(start_paused = true)]
async fn a_place_that_a_group_does_not_read_is_refused() {
    let memory = seeded(1).build();
    publish_timed(&memory, 0..1).await;
    let _member = join(&memory, "billing", Start::Earliest).await;
    let error = memory.seek("billing", place(4, 0)).await.unwrap_err().to_string();
    assert!(
        error.contains("partition 4 of topic `orders`") && error.contains("last partition is 3"),
        "{error}"
    );
    publish(&memory, "parcels", "k", [0]).await;
    let topic = "parcels".to_owned();
    let elsewhere = PartitionPosition { topic, partition: 0, position: Position(0) };
    let error = memory.seek("billing", Start::Positions(vec![elsewhere])).await.unwrap_err().to_string();
    assert!(error.contains("topic `parcels`") && error.contains("does not read"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_there_cannot_be_replayed() {
    let memory = seeded(1).partitions(1).history(2).build();
    let mut member = join(&memory, "billing", Start::Earliest).await;
    publish_timed(&memory, 0..5).await;
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    publish_timed(&memory, 5..6).await;
    let error = memory.seek("billing", place(0, 0)).await.unwrap_err();
    assert!(
        error.to_string().contains("position 0 of topic `orders`, partition 0, is no longer there"),
        "{error}"
    );
    memory.seek("billing", Start::Earliest).await.unwrap();
    assert_eq!(bodies(&member.deliveries().await), [3, 4, 5]);
    assert!(memory.seek("nobody", Start::Earliest).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_archive_is_replayed_by_time() {
    let memory = seeded(1).semantics(Semantics::EventBridge).build();
    publish_timed(&memory, 0..3).await;
    let mut member = join(&memory, "billing", Start::Earliest).await;
    assert!(member.now(MANY).is_none(), "a new queue holds nothing");
    memory.seek("billing", Start::Time(second(1))).await.unwrap();
    let deliveries = member.deliveries().await;
    assert_eq!(sorted(bodies(&deliveries)), [1, 2]);
    member.ack(&deliveries).await;
    let mut late = join(&memory, "late", Start::Time(second(2))).await;
    assert_eq!(bodies(&late.deliveries().await), [2]);

    memory.seek("billing", Start::Earliest).await.unwrap();
    assert_eq!(memory.pending("billing"), 3);
    memory.seek("billing", Start::Latest).await.unwrap();
    assert_eq!(memory.pending("billing"), 0);
    let error = memory.seek("billing", place(0, 0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test(start_paused = true)]
async fn a_rabbitmq_queue_has_no_history() {
    let memory = seeded(1).semantics(Semantics::RabbitMq).build();
    publish_timed(&memory, 0..3).await;
    let mut member = join(&memory, "billing", Start::Earliest).await;
    assert!(member.now(MANY).is_none());
    for start in [Start::Earliest, Start::Latest, Start::Time(second(0))] {
        let error = memory.seek("billing", start).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let mut earlier = subscription("late", &["orders"]);
    earlier.start = Start::Time(second(0));
    let error = Member::try_join(&memory, earlier).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("rabbitmq"), "{error}");
}
