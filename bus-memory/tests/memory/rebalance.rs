//! How partitions go from member to member.

use std::time::Duration;

use jitney_core::transport::SourceEvent;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_new_member_gets_partitions_once_they_are_released() {
    let memory = seeded(1).partitions(2).build();
    let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "", 0..4).await;
    let held = first.deliveries().await;
    assert_eq!(held.len(), 4);

    let mut second = Member::join(&memory, subscription("billing", &["orders"])).await;
    let SourceEvent::Revoking { epoch, limit } = first.next().await else { panic!("not revoked") };
    assert_eq!(limit, Duration::from_secs(10));
    assert!(second.now(MANY).is_none(), "not before it is released");
    let (revoked, kept): (Vec<_>, Vec<_>) =
        held.iter().cloned().partition(|delivery| delivery.epoch == epoch);
    assert_eq!((revoked.len(), kept.len()), (2, 2));
    publish(&memory, "orders", "", 4..6).await;
    assert_eq!(first.deliveries_now().len(), 1, "nothing new of what is revoked");

    first.ack(&revoked[..1]).await;
    first.settler.release(epoch).await;
    let moved = second.deliveries().await;
    assert_eq!(moved[0].message, revoked[1].message, "from the lowest unsettled offset on");
    assert_eq!(moved.len(), 2);
    // The old assignment has no say any more, and the kept one has.
    first.ack(&revoked).await;
    assert_eq!(memory.pending("billing"), 5);
    first.ack(&kept).await;
    assert_eq!(memory.pending("billing"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_does_not_release_loses_them_after_the_limit() {
    let memory = seeded(1).partitions(2).revoke_limit(Duration::from_secs(3)).build();
    let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "", 0..2).await;
    let held = first.deliveries().await;
    let start = memory.env().instant();
    let mut second = Member::join(&memory, subscription("billing", &["orders"])).await;
    let moved = second.deliveries().await;
    assert_eq!(start.elapsed().as_secs(), 3);
    let SourceEvent::Revoking { epoch: revoked, .. } = first.next().await else { panic!("not revoked") };
    assert_eq!(first.lost().await, revoked);
    let late: Vec<_> = held.into_iter().filter(|delivery| delivery.epoch == revoked).collect();
    assert_eq!(late[0].message, moved[0].message);
    first.ack(&late).await;
    first.settler.release(revoked).await;
    assert_eq!(memory.pending("billing"), 2, "too late");
    second.ack(&moved).await;
    assert_eq!(memory.pending("billing"), 1);
}

#[tokio::test(start_paused = true)]
async fn idle_partitions_move_without_a_word() {
    let memory = seeded(1).build();
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(Member::join(&memory, subscription("billing", &["orders"])).await);
    }
    publish(&memory, "orders", "", 0..4).await;
    for member in &mut members {
        assert_eq!(member.deliveries_now().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_comes_back_when_the_other_member_goes() {
    let memory = seeded(1).partitions(2).build();
    let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "", 0..2).await;
    let held = first.deliveries().await;
    let second = Member::join(&memory, subscription("billing", &["orders"])).await;
    let SourceEvent::Revoking { epoch, .. } = first.next().await else { panic!("not revoked") };
    drop(second);
    first.settler.release(epoch).await;
    let again = first.deliveries().await;
    assert_eq!(again.len(), 1);
    assert_ne!(again[0].epoch, epoch);
    assert!(held.iter().any(|delivery| delivery.epoch == epoch && delivery.message == again[0].message));
}

#[tokio::test(start_paused = true)]
async fn members_get_only_the_topics_that_they_asked_for() {
    let memory = seeded(1).build();
    let mut orders = Member::join(&memory, subscription("billing", &["orders"])).await;
    let mut payments = Member::join(&memory, subscription("billing", &["payments"])).await;
    publish(&memory, "orders", "", 0..8).await;
    publish(&memory, "payments", "", 8..16).await;
    assert!(orders.deliveries_now().iter().all(|delivery| &*delivery.message.topic == "orders"));
    assert_eq!(payments.deliveries_now().len(), 8);
}
