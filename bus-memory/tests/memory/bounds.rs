//! Buffers are bounded: publishing waits for groups, and history is forgotten.

use std::pin::pin;
use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::admin::{Admin, TopicSpec};
use jitney_core::message::Outbound;
use jitney_core::transport::{Published, Transport};
use jitney_memory::Semantics;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn publishing_waits_while_a_group_is_behind_and_then_goes_on() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).capacity(4).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..4).await;
        let mut fifth = pin!(publish(&memory, "orders", "k", [4]));
        assert!(!is_done(fifth.as_mut()).await, "{semantics:?}");
        let deliveries = member.deliveries().await;
        assert!(!is_done(fifth.as_mut()).await, "delivered is not settled: {semantics:?}");
        member.ack(&deliveries).await;
        assert!(is_done(fifth.as_mut()).await, "{semantics:?}");
        assert_eq!(bodies(&member.deliveries().await), [4]);
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_publishers_keep_their_order() {
    let memory = seeded(1).capacity(1).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", [0]).await;
    let publishers = [vec![1, 2], vec![99], vec![3]].map(|bodies| {
        let publisher = memory.clone();
        memory.env().spawn(async move { publish(&publisher, "orders", "k", bodies).await })
    });
    tokio::task::yield_now().await;
    publishers[1].abort();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let deliveries = member.deliveries().await;
        member.ack(&deliveries).await;
        seen.extend(bodies(&deliveries));
    }
    // The second message of the first publisher came to the queue after the second publisher.
    assert_eq!(seen, [0, 1, 3, 2]);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_a_waiting_publisher() {
    let memory = seeded(1).capacity(1).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", [0]).await;
    let mut waiting = pin!(publish(&memory, "orders", "k", [1]));
    assert!(!is_done(waiting.as_mut()).await);
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    let mut late = pin!(publish(&memory, "orders", "k", [2]));
    assert!(!is_done(late.as_mut()).await, "there is room, but not for the last in the queue");
    assert!(is_done(waiting.as_mut()).await);
    assert_eq!(bodies(&member.deliveries().await), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_stored_in_order_however_often_it_waits() {
    let memory = seeded(1).partitions(1).capacity(3).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    let batch = (0..20)
        .map(|body: u32| Outbound { message: message("orders", "k", body.to_string()), attributes: None });
    let publishing = {
        let (memory, batch) = (memory.clone(), batch.collect());
        memory.env().clone().spawn(async move { memory.publish(batch).await })
    };
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let deliveries = member.deliveries().await;
        assert!(deliveries.len() <= 3);
        member.ack(&deliveries).await;
        seen.extend(bodies(&deliveries));
    }
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    let outcomes = publishing.await.unwrap();
    assert_eq!(outcomes.len(), 20);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Published::Acked)));
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let memory = seeded(1).capacity_bytes(10).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    offer(&memory, message("orders", "", "a message larger than the bound")).await.into_result().unwrap();
    let mut second = pin!(offer(&memory, message("orders", "", "b")));
    assert!(!is_done(second.as_mut()).await);
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    assert!(is_done(second.as_mut()).await);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_publisher_is_told_of_the_close() {
    let memory = seeded(1).capacity(1).build();
    let _member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", [0]).await;
    let mut waiting = pin!(offer(&memory, message("orders", "k", "1")));
    assert!(!is_done(waiting.as_mut()).await);
    memory.close(Duration::ZERO).await.unwrap();
    let Published::Rejected(error) = waiting.await else { panic!("published after close") };
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_is_kept_as_history_up_to_its_bound() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).partitions(1).history(5).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        for round in 0..10 {
            publish(&memory, "orders", "k", round * 10..round * 10 + 10).await;
            let deliveries = member.deliveries().await;
            member.ack(&deliveries).await;
            assert!(memory.messages("orders").len() <= 15, "{semantics:?}");
        }
        let kept = memory.messages("orders");
        assert_eq!(&*kept.last().unwrap().body, b"99", "{semantics:?}");
    }
    let memory = seeded(1).partitions(1).history_bytes(4).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "", 10..20).await;
    let deliveries = member.deliveries().await;
    member.ack(&deliveries).await;
    publish(&memory, "orders", "", [20]).await;
    assert_eq!(memory.messages("orders").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_slow_delivery_does_not_keep_all_that_follow_it() {
    for semantics in [Semantics::EventBridge, Semantics::RabbitMq] {
        let memory = seeded(1).semantics(semantics).history(5).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", [0]).await;
        let slow = member.deliveries().await;
        for body in 1..100 {
            publish(&memory, "orders", "k", [body]).await;
            let deliveries = member.deliveries().await;
            member.ack(&deliveries).await;
        }
        let kept = memory.messages("orders");
        assert_eq!(&*kept[0].body, b"0", "{semantics:?}");
        assert!(kept.len() <= 8, "{semantics:?}: {}", kept.len());
        member.ack(&slow).await;
        assert!(memory.is_idle(), "{semantics:?}");
        assert!(memory.messages("orders").len() <= 7, "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_nobody_reads_forgets_its_oldest() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).capacity(10).build();
        publish(&memory, "orders", "", 0..25).await;
        let kept: Vec<_> = memory.messages("orders").iter().map(|message| message.body.clone()).collect();
        assert_eq!(kept, (15..25).map(|body| body.to_string()).collect::<Vec<_>>(), "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_topic_may_keep_its_history_for_a_time() {
    let memory = seeded(1).partitions(1).build();
    let spec = TopicSpec::new("orders").retention(Duration::from_secs(60));
    memory.ensure_topics(&[spec]).await.unwrap();
    for body in 0..3_u32 {
        let mut message = message("orders", "k", body.to_string());
        message.time = memory.env().now();
        offer(&memory, message).await.into_result().unwrap();
        memory.env().sleep(Duration::from_secs(40)).await;
    }
    assert_eq!(memory.messages("orders").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_beyond_the_limit_is_refused() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let most = memory.capabilities().max_message_bytes.unwrap();
        offer(&memory, message("orders", "k", vec![b' '; most - 1])).await.into_result().unwrap();
        let Published::Rejected(error) = offer(&memory, message("orders", "k", vec![b' '; most])).await
        else {
            panic!("taken: {semantics:?}")
        };
        assert!(error.to_string().contains(&most.to_string()), "{error}");
        assert!(!error.is_retryable());

        // A dead letter of the largest message still fits.
        let mut member = Member::join(&memory, subscription("billing", &["big"])).await;
        offer(&memory, message("big", "k", vec![b' '; most - 1])).await.into_result().unwrap();
        let delivery = member.deliveries().await.remove(0);
        member.give_up(&delivery, "billing").await;
        assert_eq!(memory.messages("billing.dead-letters").len(), 1, "{semantics:?}");
    }
}
