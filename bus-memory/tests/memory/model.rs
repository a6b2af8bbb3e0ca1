//! Whatever members do, in whatever order: nothing is lost, and in the end nothing is owed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jitney_core::admin::Admin;
use jitney_core::transport::{Delivery, Demand, SourceEvent, Start};
use jitney_memory::{Faults, Memory, Semantics};
use proptest::prelude::*;

use crate::support::*;

#[derive(Debug, Clone)]
enum Step {
    Publish { events: u32, key: u8 },
    Join,
    Go { member: usize, says_so: bool },
    Poll { member: usize, events: usize },
    Settle { member: usize, which: usize, how: How },
    Pass { seconds: u64 },
    Seek { start: bool },
}

#[derive(Debug, Clone, Copy)]
enum How {
    Ack,
    Retry { seconds: u64 },
    GiveUp,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        6 => Just(How::Ack),
        2 => (0..3_u64).prop_map(|seconds| How::Retry { seconds }),
        1 => Just(How::GiveUp),
        1 => Just(How::Release),
    ];
    prop_oneof![
        6 => (1..8_u32, any::<u8>()).prop_map(|(events, key)| Step::Publish { events, key }),
        2 => Just(Step::Join),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(member, says_so)| Step::Go { member, says_so }),
        8 => (any::<usize>(), 0..9_usize).prop_map(|(member, events)| Step::Poll { member, events }),
        12 => (any::<usize>(), any::<usize>(), how)
            .prop_map(|(member, which, how)| Step::Settle { member, which, how }),
        1 => (0..20_u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => any::<bool>().prop_map(|start| Step::Seek { start }),
    ]
}

/// A member with everything that was ever delivered to it: stale tokens are used, too.
struct Hand {
    member: Member,
    got: Vec<Delivery>,
}

impl Hand {
    fn poll(&mut self, demand: Demand) -> bool {
        match self.member.now(demand) {
            Some(SourceEvent::Deliveries(deliveries)) => {
                assert!(deliveries.len() <= demand.events);
                self.got.extend(deliveries);
                true
            }
            other => other.is_some(),
        }
    }
}

async fn settle(hand: &Hand, which: usize, how: How) -> Option<u32> {
    let delivery = hand.got.get(which % hand.got.len().max(1))?;
    match how {
        How::Ack => hand.member.ack(std::slice::from_ref(delivery)).await,
        How::Retry { seconds } => hand.member.retry(delivery, Duration::from_secs(seconds)).await,
        How::GiveUp => hand.member.give_up(delivery, "billing").await,
        How::Release => hand.member.settler.release(delivery.epoch).await,
    }
    matches!(how, How::Ack | How::GiveUp).then(|| body(delivery))
}

/// Runs `steps`, then drains; answers what was published, what was settled by the steps, and what the drain saw.
async fn run(memory: &Memory, steps: Vec<Step>) -> (u32, BTreeSet<u32>, BTreeMap<u32, usize>) {
    let mut hands =
        vec![Hand { member: Member::join(memory, subscription("billing", &["orders"])).await, got: vec![] }];
    let (mut published, mut settled) = (0, BTreeSet::new());
    for step in steps {
        let hand = |member: usize, hands: &Vec<Hand>| member % hands.len();
        match step {
            Step::Publish { events, key } => {
                publish(memory, "orders", &key.to_string(), published..published + events).await;
                published += events;
            }
            Step::Join if hands.len() < 4 => {
                let member = Member::join(memory, subscription("billing", &["orders"])).await;
                hands.push(Hand { member, got: vec![] });
            }
            Step::Go { member, says_so } if hands.len() > 1 => {
                let gone = hands.remove(hand(member, &hands));
                if says_so {
                    gone.member.settler.leave(Duration::ZERO).await.unwrap();
                }
            }
            Step::Poll { member, events } => {
                let place = hand(member, &hands);
                hands[place].poll(Demand { events, bytes: usize::MAX });
            }
            Step::Settle { member, which, how } => {
                settled.extend(settle(&hands[hand(member, &hands)], which, how).await);
            }
            Step::Pass { seconds } => memory.env().sleep(Duration::from_secs(seconds)).await,
            Step::Seek { start: true } => drop(memory.seek("billing", Start::Earliest).await),
            Step::Join | Step::Go { .. } | Step::Seek { .. } => {}
        }
    }
    drop(hands);
    let mut last = Member::join(memory, subscription("billing", &["orders"])).await;
    let mut drained = BTreeMap::new();
    while !memory.is_idle() {
        if let SourceEvent::Deliveries(deliveries) = last.next().await {
            bodies(&deliveries).into_iter().for_each(|body| *drained.entry(body).or_default() += 1);
            last.ack(&deliveries).await;
        }
    }
    assert_eq!(memory.pending("billing"), 0);
    assert!(last.deliveries_now().is_empty(), "idle, and yet something came");
    (published, settled, drained)
}

fn check(semantics: Semantics, faults: Faults, steps: Vec<Step>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let memory = seeded(1).semantics(semantics).partitions(3).faults(faults).build();
        let (published, settled, drained) = run(&memory, steps).await;
        for body in (0..published).filter(|body| !settled.contains(body)) {
            assert!(drained.contains_key(&body), "{semantics:?}: {body} is lost");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_is_lost(steps in prop::collection::vec(step(), 0..80)) {
        for semantics in ALL {
            check(semantics, Faults::none(), steps.clone());
        }
    }

    #[test]
    fn nothing_is_lost_under_faults(steps in prop::collection::vec(step(), 0..80)) {
        let faults = Faults { duplicate: 0.2, delay: 0.2, reorder: 0.2, crash: 0.1, drop_ack: 0.1, ..Faults::none() };
        for semantics in ALL {
            check(semantics, faults, steps.clone());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_lose_nothing() {
    const EACH: u32 = 2_000;
    for semantics in ALL {
        let memory = Memory::builder().semantics(semantics).capacity(64).seed(1).build();
        let (done, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let (done, mut member) =
                (done.clone(), Member::join(&memory, subscription("billing", &["orders"])).await);
            tasks.push(memory.env().spawn(async move {
                let settler = member.settler.clone();
                loop {
                    match member.next().await {
                        SourceEvent::Deliveries(deliveries) => {
                            settler.settle(acks(&deliveries)).await.unwrap();
                            bodies(&deliveries).into_iter().for_each(|body| done.send(body).unwrap());
                        }
                        SourceEvent::Revoking { epoch, .. } => settler.release(epoch).await,
                        SourceEvent::Lost { .. } => {}
                        SourceEvent::Closed => return,
                    }
                }
            }));
        }
        for publisher in 0..4 {
            let (memory, bodies) = (memory.clone(), publisher * EACH..(publisher + 1) * EACH);
            memory.env().clone().spawn(async move { publish(&memory, "orders", "", bodies).await });
        }
        let all = async {
            let mut bodies = BTreeSet::new();
            while bodies.len() < 4 * EACH as usize {
                bodies.insert(seen.recv().await.unwrap());
            }
            memory.idle().await;
        };
        memory.env().timeout(Duration::from_secs(60), all).await.unwrap();
        jitney_core::transport::Transport::close(&memory, Duration::ZERO).await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    }
}
