//! Settlements that come with outputs: both take effect, or none, and each event's once.

use std::pin::pin;
use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::transport::{Delivery, Settle, SettleError, Settlement, SourceEvent, Transport};
use jitney_memory::{Faults, Memory, Semantics};

use crate::support::*;

/// A bound for what must come at once, in virtual time.
const SOON: Duration = Duration::from_secs(1);

async fn settle(member: &Member, settlements: Vec<Settlement>) -> Result<(), SettleError> {
    member.settler.settle(settlements).await
}

/// A member that holds the bodies `0..count`, all in one partition, which a second member would get.
async fn holding(memory: &Memory, count: u32) -> (Member, Vec<Delivery>) {
    let mut member = Member::join(memory, exactly_once("billing", &["orders"])).await;
    publish(memory, "orders", "j", 0..count).await;
    let deliveries = member.deliveries().await;
    assert_eq!(deliveries.len(), count as usize);
    (member, deliveries)
}

#[tokio::test(start_paused = true)]
async fn outputs_are_stored_with_the_settlement() {
    let memory = seeded(1).build();
    let (member, deliveries) = holding(&memory, 2).await;
    assert!(stored(&memory, "outputs").is_empty());
    settle(&member, vec![with_output(&deliveries[0])]).await.unwrap();
    assert_eq!((stored(&memory, "outputs"), memory.pending("billing")), (vec![0], 1));
    settle(&member, vec![with_output(&deliveries[0])]).await.unwrap();
    assert_eq!(stored(&memory, "outputs"), [0], "what was settled is settled");
    settle(&member, vec![with_output(&deliveries[1])]).await.unwrap();
    assert_eq!(stored(&memory, "outputs"), [0, 1]);
    assert!(memory.is_idle());
}

#[tokio::test(start_paused = true)]
async fn outputs_wait_until_everything_earlier_is_settled() {
    let memory = seeded(1).build();
    let (member, deliveries) = holding(&memory, 4).await;
    let mut last = pin!(settle(&member, vec![with_output(&deliveries[3])]));
    let mut middle = pin!(settle(&member, vec![with_output(&deliveries[2]), with_output(&deliveries[1])]));
    assert!(!is_done(last.as_mut()).await);
    assert!(!is_done(middle.as_mut()).await);
    assert_eq!((stored(&memory, "outputs").len(), memory.pending("billing")), (0, 4));
    settle(&member, vec![Settlement::new(deliveries[0].token, Settle::Ack)]).await.unwrap();
    assert!(!is_done(last.as_mut()).await);
    assert!(is_done(middle.as_mut()).await);
    assert!(is_done(last.as_mut()).await);
    assert_eq!(stored(&memory, "outputs"), [1, 2, 3]);
    assert!(memory.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_settlement_that_waits_is_woken() {
    let memory = seeded(1).build();
    let (member, deliveries) = holding(&memory, 2).await;
    let settler = member.settler.clone();
    let second = with_output(&deliveries[1]);
    let waiting = memory.env().spawn(async move { settler.settle(vec![second]).await });
    tokio::task::yield_now().await;
    settle(&member, vec![with_output(&deliveries[0])]).await.unwrap();
    memory.env().timeout(SOON, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(stored(&memory, "outputs"), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn other_partitions_do_not_wait() {
    let memory = seeded(1).build();
    let mut member = Member::join(&memory, exactly_once("billing", &["orders"])).await;
    publish(&memory, "orders", "k", 0..2).await;
    publish(&memory, "orders", "j", 2..4).await;
    let mut deliveries = member.deliveries().await;
    deliveries.sort_by_key(body);
    let mut second = pin!(settle(&member, vec![with_output(&deliveries[1])]));
    assert!(!is_done(second.as_mut()).await);
    settle(&member, vec![with_output(&deliveries[2]), with_output(&deliveries[3])]).await.unwrap();
    assert_eq!(stored(&memory, "outputs"), [2, 3]);
}

/// What has to end a settlement that waits for an earlier one which will not come.
async fn ends(end: impl AsyncFnOnce(&Memory, &mut Member), expected: Option<ErrorKind>) {
    let memory = seeded(1).build();
    let (mut member, deliveries) = holding(&memory, 2).await;
    let settler = member.settler.clone();
    let second = with_output(&deliveries[1]);
    let waiting = memory.env().spawn(async move { settler.settle(vec![second]).await });
    tokio::task::yield_now().await;
    end(&memory, &mut member).await;
    let ended = memory.env().timeout(SOON, waiting).await.expect("it hangs").unwrap();
    assert_eq!(ended.err().map(|error| error.failed[0].1.kind()), expected);
    assert!(stored(&memory, "outputs").is_empty());
    drop(member);
    let mut other = Member::join(&memory.connect(), exactly_once("billing", &["orders"])).await;
    if memory.pending("billing") > 0 {
        let again = loop {
            if let SourceEvent::Deliveries(again) = other.next().await {
                break again;
            }
        };
        assert_eq!(bodies(&again), [0, 1], "both come again");
        settle(&other, again.iter().map(with_output).collect()).await.unwrap();
        assert_eq!(stored(&memory, "outputs"), [0, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_ends_when_the_member_leaves() {
    ends(async |_, member| member.settler.leave(Duration::ZERO).await.unwrap(), None).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_ends_when_the_transport_is_closed() {
    let close = async |memory: &Memory, _: &mut Member| memory.close(Duration::ZERO).await.unwrap();
    ends(close, Some(ErrorKind::Closed)).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_ends_when_its_partition_is_released() {
    let release = async |memory: &Memory, member: &mut Member| {
        let _other = Member::join(memory, exactly_once("billing", &["orders"])).await;
        let SourceEvent::Revoking { epoch, .. } = member.next().await else { panic!("nothing is revoked") };
        member.settler.release(epoch).await;
    };
    ends(release, None).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_ends_when_its_partition_is_lost() {
    let seek = async |memory: &Memory, member: &mut Member| {
        use jitney_core::admin::Admin;
        memory.seek("billing", jitney_core::transport::Start::Earliest).await.unwrap();
        member.lost().await;
    };
    ends(seek, None).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_ends_when_the_group_is_forgotten() {
    ends(async |memory, _| assert!(memory.forget_group("billing")), None).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_while_it_waits_can_be_settled_again() {
    let memory = seeded(1).build();
    let (member, deliveries) = holding(&memory, 2).await;
    {
        let mut waiting = pin!(settle(&member, vec![with_output(&deliveries[1])]));
        assert!(!is_done(waiting.as_mut()).await);
    }
    settle(&member, vec![with_output(&deliveries[0])]).await.unwrap();
    assert_eq!((stored(&memory, "outputs"), memory.pending("billing")), (vec![0], 1));
    settle(&member, vec![with_output(&deliveries[1])]).await.unwrap();
    assert_eq!(stored(&memory, "outputs"), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_takes_its_turn_so_that_it_never_comes_both_ways() {
    let memory = seeded(1).build();
    let (member, deliveries) = holding(&memory, 2).await;
    {
        let retry = Settlement::new(deliveries[1].token, Settle::Retry { after: Duration::ZERO });
        let mut waiting = pin!(settle(&member, vec![retry]));
        assert!(!is_done(waiting.as_mut()).await);
    }
    drop(member);
    let mut other = Member::join(&memory, exactly_once("billing", &["orders"])).await;
    let again = other.deliveries().await;
    assert_eq!(bodies(&again), [0, 1], "from the log alone");
    let retry = Settlement::new(again[1].token, Settle::Retry { after: Duration::ZERO });
    settle(&other, vec![with_output(&again[0]), retry]).await.unwrap();
    let retried = other.deliveries().await;
    assert_eq!(bodies(&retried), [1]);
    settle(&other, vec![with_output(&retried[0])]).await.unwrap();
    assert_eq!(stored(&memory, "outputs"), [0, 1]);
    assert!(memory.is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_takes_its_turn_too() {
    let memory = seeded(1).strict_topics(false).build();
    let (member, deliveries) = holding(&memory, 2).await;
    let mut waiting = pin!(member.try_give_up(&deliveries[1], "billing"));
    assert!(!is_done(waiting.as_mut()).await);
    assert!(stored(&memory, "billing.dead-letters").is_empty());
    settle(&member, vec![with_output(&deliveries[0])]).await.unwrap();
    assert!(is_done(waiting.as_mut()).await);
    assert_eq!(stored(&memory, "billing.dead-letters"), [1]);
    assert!(memory.is_idle());
}

#[tokio::test(start_paused = true)]
async fn an_output_that_is_refused_leaves_the_delivery_unsettled() {
    let memory = seeded(1).build();
    let (member, deliveries) = holding(&memory, 2).await;
    let mut settlement = with_output(&deliveries[0]);
    settlement.outputs.push(outbound("more", 9));
    settlement.outputs[1].message.body = vec![b'0'; 2 << 20].into();
    let mut behind = pin!(settle(&member, vec![with_output(&deliveries[1])]));
    assert!(!is_done(behind.as_mut()).await);
    let error = settle(&member, vec![settlement]).await.unwrap_err();
    let (failed, error) = &error.failed[0];
    assert_eq!((failed.token, failed.outputs.len()), (deliveries[0].token, 2), "it is given back whole");
    assert!(error.kind() == ErrorKind::Rejected && !error.is_retryable());
    assert!(stored(&memory, "outputs").is_empty() && stored(&memory, "more").is_empty());
    assert!(!is_done(behind.as_mut()).await);
    member.give_up(&deliveries[0], "billing").await;
    assert!(is_done(behind.as_mut()).await);
    assert_eq!(stored(&memory, "outputs"), [1]);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_ends_its_call_and_what_waited_can_be_settled_again() {
    let memory = seeded(1).build();
    let (member, deliveries) = holding(&memory, 3).await;
    let mut refused = with_output(&deliveries[0]);
    refused.outputs[0].message.body = vec![b'0'; 2 << 20].into();
    let call = vec![with_output(&deliveries[1]), refused, with_output(&deliveries[2])];
    let settled = memory.env().timeout(SOON, settle(&member, call)).await;
    let error = settled.expect("it waits for one that has failed").unwrap_err();
    let failed: Vec<_> =
        error.failed.iter().map(|(one, error)| (one.token.number, error.is_retryable())).collect();
    assert_eq!(failed, [(1, true), (0, false), (2, true)]);
    let again: Vec<_> = deliveries.iter().map(with_output).collect();
    settle(&member, again).await.unwrap();
    assert_eq!(stored(&memory, "outputs"), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn outputs_wait_for_room() {
    let memory = seeded(1).capacity(2).build();
    let mut reader = Member::join(&memory, subscription("reader", &["outputs"])).await;
    let (member, deliveries) = holding(&memory, 2).await;
    publish(&memory, "outputs", "k", 10..12).await;
    let mut first = pin!(settle(&member, vec![with_output(&deliveries[0])]));
    assert!(!is_done(first.as_mut()).await);
    assert_eq!(memory.pending("billing"), 2);
    let read = reader.deliveries().await;
    reader.ack(&read).await;
    assert!(is_done(first.as_mut()).await);
    assert_eq!((stored(&memory, "outputs"), memory.pending("billing")), (vec![10, 11, 0], 1));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_ends_with_its_membership() {
    let memory = seeded(1).capacity(1).build();
    let _reader = Member::join(&memory, subscription("reader", &["outputs"])).await;
    let (member, deliveries) = holding(&memory, 1).await;
    publish(&memory, "outputs", "k", [10]).await;
    let mut waiting = pin!(settle(&member, vec![with_output(&deliveries[0])]));
    assert!(!is_done(waiting.as_mut()).await);
    member.settler.leave(Duration::ZERO).await.unwrap();
    assert!(is_done(waiting.as_mut()).await);
    assert_eq!((stored(&memory, "outputs"), memory.pending("billing")), (vec![10], 1));
}

#[tokio::test(start_paused = true)]
async fn a_second_delivery_of_something_has_no_effect() {
    let memory = seeded(1).faults(Faults { duplicate: 1.0, per_message: 1, ..Faults::none() }).build();
    let mut member = Member::join(&memory, exactly_once("billing", &["orders"])).await;
    publish(&memory, "orders", "k", 0..2).await;
    let mut came = Vec::new();
    while came.len() < 4 {
        came.extend(member.deliveries().await);
    }
    for delivery in came.iter().rev() {
        let mut settling = pin!(settle(&member, vec![with_output(delivery)]));
        let _ = is_done(settling.as_mut()).await;
    }
    settle(&member, came.iter().map(with_output).collect()).await.unwrap();
    assert_eq!(sorted(stored(&memory, "outputs")), [0, 1]);
    assert!(memory.is_idle());
}

#[tokio::test(start_paused = true)]
async fn outputs_that_nobody_said_would_come_are_refused() {
    let memory = seeded(1).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    publish(&memory, "orders", "k", [0]).await;
    let deliveries = member.deliveries().await;
    let error = settle(&member, vec![with_output(&deliveries[0])]).await.unwrap_err();
    assert_eq!(error.failed[0].1.kind(), ErrorKind::Unsupported);
    assert_eq!(memory.pending("billing"), 1);
    for semantics in [Semantics::EventBridge, Semantics::RabbitMq] {
        let memory = seeded(1).semantics(semantics).build();
        let joined = Member::try_join(&memory, exactly_once("billing", &["orders"])).await;
        let error = joined.err().expect("there are no transactions");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{semantics:?}");
    }
}
