//! What holds whatever broker is stood in for.

use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::admin::{Admin, TopicSpec};
use jitney_core::transport::{Demand, Published, Settle, Settlement, SourceEvent, Transport};
use jitney_memory::Semantics;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn what_is_published_is_delivered_and_settled() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..10).await;
        assert!(!memory.is_idle());
        let deliveries = member.deliveries().await;
        assert_eq!(sorted(bodies(&deliveries)), (0..10).collect::<Vec<_>>(), "{semantics:?}");
        assert!(
            deliveries.iter().all(|delivery| delivery.attempt == 1 && delivery.epoch == delivery.token.epoch)
        );
        assert_eq!(memory.pending("billing"), 10);
        member.ack(&deliveries).await;
        assert_eq!(memory.pending("billing"), 0);
        memory.idle().await;
        assert!(member.now(MANY).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn members_of_a_group_share_and_groups_do_not() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
        let mut second = Member::join(&memory, subscription("billing", &["orders"])).await;
        let mut other = Member::join(&memory, subscription("shipping", &["orders"])).await;
        publish(&memory, "orders", "", 0..8).await;

        let four = Demand { events: 4, bytes: usize::MAX };
        let mut shared = Vec::new();
        let mut take = |member: &mut Member| {
            let Some(SourceEvent::Deliveries(deliveries)) = member.now(four) else { panic!("nothing came") };
            assert_eq!(deliveries.len(), 4, "{semantics:?}");
            shared.extend(bodies(&deliveries));
            deliveries
        };
        let taken = take(&mut first);
        if semantics == Semantics::RabbitMq {
            // One reads, until it goes.
            assert!(second.now(four).is_none());
            first.ack(&taken).await;
            drop(first);
        }
        take(&mut second);
        assert_eq!(sorted(shared), (0..8).collect::<Vec<_>>(), "{semantics:?}");
        assert_eq!(sorted(bodies(&other.deliveries_now())), (0..8).collect::<Vec<_>>(), "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_member_that_goes_has_not_settled_comes_again() {
    for semantics in ALL {
        for leaves in [true, false] {
            let memory = seeded(1).semantics(semantics).build();
            let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
            publish(&memory, "orders", "k", 0..3).await;
            let deliveries = first.deliveries().await;
            let done = deliveries.iter().find(|delivery| body(delivery) == 0).unwrap().clone();
            first.ack(&[done]).await;
            let (settler, env) = (first.settler.clone(), memory.env().clone());
            if leaves {
                settler.leave(Duration::ZERO).await.unwrap();
                assert!(matches!(first.next().await, SourceEvent::Closed));
            }
            drop(first);

            let mut second = Member::join(&memory, subscription("billing", &["orders"])).await;
            let again = second.deliveries().await;
            assert_eq!(sorted(bodies(&again)), [1, 2], "{semantics:?}");
            // What the first one says now comes too late.
            let late = deliveries.iter().map(|delivery| Settlement::new(delivery.token, Settle::Ack));
            settler.settle(late.collect()).await.unwrap();
            assert_eq!(memory.pending("billing"), 2, "{semantics:?}");
            second.ack(&again).await;
            env.timeout(Duration::from_secs(1), memory.idle()).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn settling_twice_has_no_effect() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..2).await;
        let deliveries = member.deliveries().await;
        member.ack(&deliveries[..1]).await;
        member.ack(&deliveries[..1]).await;
        member.retry(&deliveries[0], Duration::ZERO).await;
        member.give_up(&deliveries[0], "billing").await;
        assert_eq!(memory.pending("billing"), 1, "{semantics:?}");
        assert!(memory.admin().unwrap().dead_letters("billing", 9).await.unwrap().is_empty());
        assert!(member.now(MANY).is_none(), "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_settles_only_what_it_holds() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..2).await;
        let held = first.deliveries().await;
        let second = Member::join(&memory, subscription("billing", &["orders"])).await;
        second.ack(&held).await;
        assert_eq!(memory.pending("billing"), 2, "{semantics:?}");
        second.settler.release(held[0].epoch).await;
        first.ack(&held).await;
        assert!(memory.is_idle(), "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_comes_when_its_time_has_come_and_not_before() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", [7]).await;
        let before = memory.env().instant();
        let delivery = member.deliveries().await.remove(0);
        member.retry(&delivery, Duration::from_secs(5)).await;
        assert!(!memory.is_idle(), "a delayed delivery is owed");
        assert!(member.now(MANY).is_none());
        let again = member.deliveries().await;
        assert_eq!(before.elapsed().as_secs(), 5, "{semantics:?}");
        assert_eq!((body(&again[0]), again[0].attempt), (7, 2), "{semantics:?}");
        assert_eq!(again[0].message, delivery.message);
        member.ack(&again).await;
        assert!(memory.is_idle());

        publish(&memory, "orders", "k", [8]).await;
        let delivery = member.deliveries().await.remove(0);
        member.retry(&delivery, Duration::ZERO).await;
        assert_eq!(bodies(&member.deliveries().await), [8], "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_stored_readable_and_subscribable() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut operator = Member::join(&memory, subscription("operator", &["billing.dead-letters"])).await;
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", [7]).await;
        let delivery = member.deliveries().await.remove(0);
        member.give_up(&delivery, "billing").await;
        assert_eq!(memory.pending("billing"), 0, "{semantics:?}");

        let letters = memory.dead_letters("billing", 9).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!((&letters[0].body, &letters[0].key), (&delivery.message.body, &delivery.message.key));
        assert_eq!(letters[0].header_str("jitney-dead-reason"), Some("exhausted"));
        let letter = operator.deliveries().await.remove(0);
        assert_eq!(*letter.message, letters[0], "{semantics:?}");
        assert_eq!(&*letter.message.topic, "billing.dead-letters");
        assert!(memory.dead_letters("shipping", 9).await.unwrap().is_empty());
        assert!(memory.dead_letters("billing", 0).await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_gives_no_more_than_was_asked_for() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut few = subscription("billing", &["orders"]);
        few.prefetch = 5;
        let mut member = Member::join(&memory, few).await;
        publish(&memory, "orders", "k", 10..30).await;
        assert!(member.now(Demand::NOTHING).is_none(), "{semantics:?}");

        let mut take = |events, bytes| match member.now(Demand { events, bytes }) {
            Some(SourceEvent::Deliveries(deliveries)) => deliveries,
            other => panic!("{other:?}"),
        };
        let mut held = take(2, usize::MAX);
        assert_eq!(held.len(), 2, "{semantics:?}");
        held.extend(take(9, 1)); // one delivery may be larger than the demand
        assert_eq!(held.len(), 3, "{semantics:?}");
        held.extend(take(9, usize::MAX));
        assert_eq!(held.len(), 5, "no more than the prefetch: {semantics:?}");
        assert!(member.now(MANY).is_none());
        member.ack(&held[..1]).await;
        assert_eq!(member.deliveries_now().len(), 1, "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_member_is_woken_by_what_concerns_it() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut one = subscription("billing", &["orders"]);
        one.prefetch = 1;
        let mut member = Member::join(&memory, one).await;
        let publisher = memory.clone();
        memory.env().spawn(async move { publish(&publisher, "orders", "k", 0..2).await });
        let first = member.deliveries().await;
        let settler = member.settler.clone();
        let token = first[0].token;
        memory
            .env()
            .spawn(async move { settler.settle(vec![Settlement::new(token, Settle::Ack)]).await.unwrap() });
        let second = member.deliveries().await;
        assert_ne!(body(&first[0]), body(&second[0]), "{semantics:?}");
        let closing = memory.clone();
        memory.env().spawn(async move { closing.close(Duration::ZERO).await.unwrap() });
        assert!(matches!(member.next().await, SourceEvent::Closed), "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_after_close() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..2).await;
        let delivery = member.deliveries().await.remove(0);
        memory.close(Duration::ZERO).await.unwrap();
        memory.close(Duration::ZERO).await.unwrap();
        let Published::Rejected(error) = offer(&memory, message("orders", "k", "1")).await else {
            panic!("published after close")
        };
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(matches!(member.next().await, SourceEvent::Closed));
        assert!(matches!(member.next().await, SourceEvent::Closed));
        let settlements = vec![Settlement::new(delivery.token, Settle::Ack)];
        let error = member.settler.settle(settlements).await.unwrap_err();
        assert_eq!((error.failed[0].0.token, error.failed[0].1.kind()), (delivery.token, ErrorKind::Closed));
        let error = Member::try_join(&memory, subscription("late", &["orders"])).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Closed);
        memory.idle().await; // nothing is owed by what is closed
    }
}

#[tokio::test(start_paused = true)]
async fn each_connection_is_closed_by_itself() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let other = memory.connect();
        let mut first = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..2).await;
        assert_eq!(first.deliveries().await.len(), 2, "{semantics:?}");
        let mut second = Member::join(&other, subscription("billing", &["orders"])).await;
        memory.close(Duration::ZERO).await.unwrap();
        assert!(matches!(first.next().await, SourceEvent::Closed));
        let deliveries = second.deliveries().await;
        assert_eq!(deliveries.len(), 2, "what the closed one held: {semantics:?}");
        second.ack(&deliveries).await;
        publish(&other, "orders", "k", 2..3).await;
        assert_eq!(bodies(&second.deliveries().await), [2], "{semantics:?}");
        assert_eq!(memory.messages("orders").len(), 3, "a closed handle can still look inside");
    }
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_group_is_owed_nothing() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..3).await;
        let deliveries = member.deliveries().await;
        member.retry(&deliveries[0], Duration::from_secs(9)).await;
        assert!(memory.forget_group("billing"));
        assert!(!memory.forget_group("billing"));
        assert!(memory.is_idle(), "{semantics:?}");
        assert!(matches!(member.next().await, SourceEvent::Closed));
        member.ack(&deliveries).await;
        assert_eq!(memory.pending("billing"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn strict_topics_must_be_made_first() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).strict_topics(true).build();
        let error = offer(&memory, message("orders", "k", "1")).await.into_result().unwrap_err();
        assert!(error.to_string().contains("there is no topic `orders`"), "{error}");
        assert!(Member::try_join(&memory, subscription("billing", &["orders"])).await.is_err());
        memory.ensure_topics(&[TopicSpec::new("orders")]).await.unwrap();
        memory.ensure_topics(&[TopicSpec::new("orders")]).await.unwrap();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", [1]).await;
        // The topic of a group's dead letters belongs to the group.
        let delivery = member.deliveries().await.remove(0);
        member.give_up(&delivery, "billing").await;
        assert_eq!(memory.dead_letters("billing", 9).await.unwrap().len(), 1, "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_run() {
    async fn run(semantics: Semantics, seed: u64) -> Vec<(u32, u32)> {
        let memory = seeded(seed).semantics(semantics).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        let mut seen = Vec::new();
        for round in 0..20 {
            publish(&memory, "orders", "", round * 10..round * 10 + 10).await;
            let deliveries = member.deliveries().await;
            seen.extend(deliveries.iter().map(|delivery| (body(delivery), delivery.attempt)));
            member.ack(&deliveries[1..]).await;
            member.retry(&deliveries[0], Duration::from_millis(1)).await;
        }
        seen
    }
    for semantics in ALL {
        assert_eq!(run(semantics, 7).await, run(semantics, 7).await, "{semantics:?}");
    }
    let event_bridge = Semantics::EventBridge;
    assert_ne!(run(event_bridge, 7).await, run(event_bridge, 8).await);
}
