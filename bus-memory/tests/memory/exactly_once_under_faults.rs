//! Outputs that are stored with settlements, under every fault and with members that come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jitney_core::transport::{Settle, SettleError, Settlement, Settler, SourceEvent};
use jitney_memory::{Faults, Memory};

use crate::support::*;

/// So that what is delayed becomes due.
const PAUSE: Duration = Duration::from_millis(10);

/// Settles again and again what can be settled again.
async fn settle_stubbornly(settler: Arc<dyn Settler>, mut call: Vec<Settlement>) {
    while let Err(SettleError { failed }) = settler.settle(call).await {
        call = failed.into_iter().map(|(settlement, _)| settlement).collect();
    }
}

/// Settles everything of `orders` in disorder, with outputs, by members that come and go, until all is quiet.
async fn run(seed: u64, events: u32, faults: Faults) -> Memory {
    let memory = seeded(seed).faults(faults).build();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut members = vec![Member::join(&memory, exactly_once("billing", &["orders"])).await];
    for body in 0..events {
        let key = format!("key-{}", body % 7);
        while offer(&memory, message("orders", &key, body.to_string())).await.into_result().is_err() {}
    }
    let mut settling = FuturesUnordered::new();
    while !memory.is_idle() {
        let index = random.usize(..members.len());
        match members[index].now(MANY) {
            Some(SourceEvent::Deliveries(mut deliveries)) => {
                random.shuffle(&mut deliveries);
                while !deliveries.is_empty() {
                    let call = deliveries.split_off(deliveries.len() - random.usize(1..=deliveries.len()));
                    let call = call.iter().map(|delivery| match random.u8(..10) {
                        0 => Settlement::new(delivery.token, Settle::Retry { after: Duration::from_secs(1) }),
                        1 => Settlement::new(delivery.token, dead_letter(delivery, "billing", memory.env())),
                        _ => with_output(delivery),
                    });
                    let (settler, call) = (members[index].settler.clone(), call.collect::<Vec<_>>());
                    settling.push(settle_stubbornly(settler, call));
                }
            }
            Some(SourceEvent::Revoking { epoch, .. }) => members[index].settler.release(epoch).await,
            Some(SourceEvent::Lost { .. }) => {}
            Some(SourceEvent::Closed) => unreachable!("nobody closes anything"),
            None => {
                if let Ok(None) = memory.env().timeout(PAUSE, settling.next()).await {
                    memory.env().sleep(PAUSE).await;
                }
            }
        }
        if random.u8(..50) == 0 && members.len() < 3 {
            members.push(Member::join(&memory, exactly_once("billing", &["orders"])).await);
        } else if random.u8(..100) == 0 && members.len() > 1 {
            members.remove(random.usize(..members.len()));
        }
    }
    memory
}

#[tokio::test(start_paused = true)]
async fn each_event_has_its_effect_once_whatever_happens() {
    let faults = Faults { crash: 0.05, ..Faults::some() };
    for seed in 0..200 {
        let memory = run(seed, 60, faults).await;
        let mut effects = BTreeMap::<u32, i64>::new();
        // An event that is published twice, since its first publishing was not answered, is two.
        stored(&memory, "orders").into_iter().for_each(|body| *effects.entry(body).or_default() -= 1);
        for topic in ["outputs", "billing.dead-letters"] {
            stored(&memory, topic).into_iter().for_each(|body| *effects.entry(body).or_default() += 1);
        }
        effects.retain(|_, difference| *difference != 0);
        assert!(effects.is_empty(), "seed {seed}: effects too many or too few: {effects:?}");
    }
}
