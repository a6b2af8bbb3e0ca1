//! Each fault happens, and ends.

use std::collections::BTreeMap;

use jitney_core::ErrorKind;
use jitney_core::transport::{Published, SourceEvent};
use jitney_memory::{Faults, Memory, Semantics};

use crate::support::*;

const EVENTS: u32 = 200;

/// What a member saw until all was quiet.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// In the order of delivery.
    bodies: Vec<u32>,
    lost: usize,
    seconds: f64,
}

impl Seen {
    fn counts(&self) -> BTreeMap<u32, usize> {
        let mut counts = BTreeMap::new();
        self.bodies.iter().for_each(|body| *counts.entry(*body).or_default() += 1);
        counts
    }
}

/// Publishes, handles and settles everything; ends when nothing is owed any more.
async fn run(semantics: Semantics, events: u32, faults: Faults, seed: u64) -> Seen {
    let memory = seeded(seed).semantics(semantics).faults(faults).build();
    let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
    let start = memory.env().instant();
    publish(&memory, "orders", "k", 0..events).await;
    let mut seen = Seen::default();
    while !memory.is_idle() {
        match member.next().await {
            SourceEvent::Deliveries(deliveries) => {
                seen.bodies.extend(bodies(&deliveries));
                for delivery in deliveries {
                    member.ack(&[delivery]).await;
                }
            }
            SourceEvent::Lost { .. } => seen.lost += 1,
            other => panic!("{other:?}"),
        }
    }
    seen.seconds = start.elapsed().as_secs_f64();
    assert_eq!(seen.counts().len(), events as usize, "{semantics:?}: nothing is lost");
    seen
}

#[tokio::test(start_paused = true)]
async fn without_faults_everything_comes_once() {
    for semantics in ALL {
        let seen = run(semantics, EVENTS, Faults::none(), 1).await;
        assert_eq!((seen.bodies.len(), seen.lost, seen.seconds), (EVENTS as usize, 0, 0.0), "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn duplicates_come_and_end() {
    for semantics in ALL {
        let seen = run(semantics, EVENTS, Faults { duplicate: 0.3, ..Faults::none() }, 1).await;
        let twice = seen.counts().values().filter(|count| **count == 2).count();
        assert!((40..80).contains(&twice), "{semantics:?}: {twice}");
        assert!(seen.counts().values().all(|count| *count <= 2), "{semantics:?}");
        if semantics == Semantics::Kafka {
            assert!(seen.bodies.is_sorted(), "a duplicate follows at once: {:?}", seen.bodies);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn delays_take_time_and_keep_order_where_there_is_order() {
    for semantics in ALL {
        let seen = run(semantics, EVENTS, Faults { delay: 0.2, ..Faults::none() }, 1).await;
        assert_eq!(seen.bodies.len(), EVENTS as usize, "{semantics:?}");
        assert!(seen.seconds > 0.0, "{semantics:?}");
        if semantics == Semantics::Kafka {
            assert!(seen.bodies.is_sorted());
            assert!(seen.seconds > 0.5, "one waits behind the other");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn messages_overtake_only_where_the_rules_keep_no_order() {
    for semantics in ALL {
        let faults = Faults { reorder: 0.5, ..Faults::none() };
        let seen = run(semantics, EVENTS, faults, 1).await;
        assert_eq!(seen.bodies.is_sorted(), semantics != Semantics::EventBridge, "{semantics:?}");
        if semantics == Semantics::EventBridge {
            assert_ne!(seen, run(semantics, EVENTS, Faults::none(), 1).await, "more than the usual disorder");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn forgotten_acks_bring_messages_again() {
    for semantics in ALL {
        let seen = run(semantics, EVENTS, Faults { drop_ack: 0.1, ..Faults::none() }, 1).await;
        assert!(seen.bodies.len() > EVENTS as usize + 10, "{semantics:?}: {}", seen.bodies.len());
        match semantics {
            Semantics::EventBridge => assert!(seen.lost == 0 && seen.seconds >= 30.0, "after the time-out"),
            _ => assert!(seen.lost > 10, "{semantics:?}: {}", seen.lost),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_what_the_member_holds() {
    for semantics in ALL {
        let seen = run(semantics, EVENTS, Faults { crash: 0.1, ..Faults::none() }, 1).await;
        assert!(seen.lost > 10, "{semantics:?}: {}", seen.lost);
        assert!(seen.bodies.len() > EVENTS as usize + 10, "{semantics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn everything_at_once_ends() {
    let certain =
        Faults { duplicate: 1.0, delay: 1.0, reorder: 1.0, drop_ack: 1.0, crash: 1.0, ..Faults::none() };
    for semantics in ALL {
        run(semantics, EVENTS, certain, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_message_meets_three_faults_and_then_none() {
    for faults in [Faults { crash: 1.0, ..Faults::none() }, Faults { drop_ack: 1.0, ..Faults::none() }] {
        for semantics in ALL {
            let seen = run(semantics, 1, faults, 1).await;
            assert_eq!(seen.bodies, [0; 4], "{semantics:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_faults() {
    let faults =
        Faults { duplicate: 0.2, delay: 0.2, reorder: 0.2, drop_ack: 0.05, crash: 0.05, ..Faults::none() };
    for semantics in ALL {
        let (first, second) =
            (run(semantics, EVENTS, faults, 7).await, run(semantics, EVENTS, faults, 7).await);
        assert_eq!(first, second, "{semantics:?}");
        assert_ne!(first, run(semantics, EVENTS, faults, 8).await, "{semantics:?}");
    }
}

/// Publishes one message until it is acked; answers the errors on the way.
async fn publish_stubbornly(memory: &Memory, body: u32) -> Vec<ErrorKind> {
    let mut errors = Vec::new();
    loop {
        match offer(memory, message("orders", "k", body.to_string())).await {
            Published::Acked => return errors,
            Published::Rejected(error) | Published::Unknown(error) => {
                assert!(error.is_retryable(), "{error}");
                errors.push(error.kind());
            }
        }
        assert!(errors.len() < 10, "no end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_message_is_not_stored_and_succeeds_in_the_end() {
    let memory = seeded(1).faults(Faults { reject: 1.0, ..Faults::none() }).build();
    assert_eq!(publish_stubbornly(&memory, 1).await, [ErrorKind::Rejected; 3]);
    assert_eq!(memory.messages("orders").len(), 1);

    let memory = seeded(1).faults(Faults { reject: 0.3, ..Faults::none() }).build();
    let mut failed = 0;
    for body in 0..EVENTS {
        failed += usize::from(!publish_stubbornly(&memory, body).await.is_empty());
    }
    assert!((40..80).contains(&failed), "{failed}");
    assert_eq!(memory.messages("orders").len(), EVENTS as usize);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_message_is_stored_or_it_is_not() {
    let memory = seeded(1).faults(Faults { unknown: 0.5, per_message: 1, ..Faults::none() }).build();
    let mut unanswered = 0;
    for body in 0..EVENTS {
        unanswered += publish_stubbornly(&memory, body).await.len();
    }
    let twice = memory.messages("orders").len() - EVENTS as usize;
    assert!((80..120).contains(&unanswered), "{unanswered}");
    assert!((unanswered / 4..unanswered * 3 / 4).contains(&twice), "{twice} of {unanswered}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_refused_can_be_tried_again() {
    for semantics in ALL {
        let faults = Faults { reject: 1.0, per_message: 1, ..Faults::none() };
        let memory = seeded(1).semantics(semantics).faults(faults).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish_stubbornly(&memory, 7).await;
        let delivery = member.deliveries().await.remove(0);
        assert!(member.try_give_up(&delivery, "billing").await.is_err());
        assert_eq!(memory.pending("billing"), 1, "{semantics:?}");
        member.try_give_up(&delivery, "billing").await.unwrap();
        assert!(memory.is_idle(), "{semantics:?}");
        assert_eq!(memory.messages("billing.dead-letters").len(), 1);
    }
}
