//! RabbitMQ's rules: a queue in order, and what is not acknowledged goes back to its front.

use std::time::Duration;

use jitney_core::transport::{Mode, Start};
use jitney_memory::{Memory, Semantics};

use crate::support::*;

async fn bus() -> (Memory, Member) {
    let memory = seeded(1).semantics(Semantics::RabbitMq).build();
    let member = Member::join(&memory, subscription("billing", &["orders"])).await;
    (memory, member)
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_delivered_in_order() {
    let (memory, mut member) = bus().await;
    publish(&memory, "orders", "", 0..50).await;
    assert_eq!(bodies(&member.deliveries().await), (0..50).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_channel_held_goes_back_to_the_front_in_order() {
    let (memory, mut member) = bus().await;
    publish(&memory, "orders", "", 0..4).await;
    let deliveries = member.deliveries().await;
    member.ack(&deliveries[1..2]).await;
    publish(&memory, "orders", "", 4..5).await;
    drop(member);
    let mut other = Member::join(&memory, subscription("billing", &["orders"])).await;
    let again = other.deliveries().await;
    assert_eq!(bodies(&again), [0, 2, 3, 4], "only what was not settled");
    assert_eq!(again.iter().map(|delivery| delivery.attempt).collect::<Vec<_>>(), [2, 2, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_immediate_retry_is_first_and_a_delayed_one_last() {
    let (memory, mut member) = bus().await;
    publish(&memory, "orders", "", 0..2).await;
    let held = member.deliveries().await;
    publish(&memory, "orders", "", 2..3).await;
    member.retry(&held[0], Duration::ZERO).await;
    member.retry(&held[1], Duration::from_secs(1)).await;
    memory.env().sleep(Duration::from_secs(2)).await;
    assert_eq!(bodies(&member.deliveries_now()), [0, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn broadcast_members_have_queues_of_their_own() {
    let memory = seeded(1).semantics(Semantics::RabbitMq).build();
    let mut broadcast = subscription("cache", &["prices"]);
    (broadcast.mode, broadcast.start) = (Mode::Broadcast, Start::Latest);
    let mut first = Member::join(&memory, broadcast.clone()).await;
    let mut second = Member::join(&memory, broadcast).await;
    publish(&memory, "prices", "", 0..2).await;
    for member in [&mut first, &mut second] {
        assert_eq!(bodies(&member.deliveries().await), [0, 1]);
    }
    drop((first, second));
    assert!(memory.is_idle());
}
