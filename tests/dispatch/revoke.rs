//! Partitions that are taken away: what runs is finished or dropped, and then handed over.

use std::sync::Arc;
use std::time::Duration;

use jitney::Env;
use jitney::dispatch::Limits;
use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::transport::{Epoch, SourceEvent};
use jitney::{Error, ErrorKind};

use super::events::{Placed, message, placed};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Gate, Log, Meter, advance, shop, take, until, work};

const LIMIT: Duration = Duration::from_secs(10);

async fn pass(order: Placed, State(gate): State<Gate>, State(meter): State<Meter>) {
    let _inside = meter.enter();
    if order.order != "free" {
        gate.pass().await;
    }
}

struct Scene {
    transport: Scripted,
    gate: Gate,
    meter: Meter,
    app: jitney::app::RunningApp,
}

async fn scene(limits: Limits) -> Scene {
    let (transport, gate, meter) = (Scripted::new(), Gate::closed(), Meter::default());
    let app = shop(take(), pass)(transport.bus()).state(gate.clone()).state(meter.clone()).limits(limits);
    let app = app.spawn().await.unwrap();
    Scene { transport, gate, meter, app }
}

fn revoking(epoch: u64) -> Result<SourceEvent, Error> {
    Ok(SourceEvent::Revoking { epoch: Epoch(epoch), limit: LIMIT })
}

fn lost(epoch: u64) -> Result<SourceEvent, Error> {
    Ok(SourceEvent::Lost { epoch: Epoch(epoch) })
}

#[jitney::test]
async fn what_runs_is_settled_before_the_partition_is_released_and_what_waits_is_dropped() {
    let Scene { transport, gate, meter, app } = scene(Limits::default()).await;
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1), placed("b", 2)]);
    until("two lanes run", || meter.now() == 2).await;
    transport.push(revoking(1));
    work(10).await;
    assert!(transport.told().is_empty(), "two still run");
    gate.let_through(1);
    until("one is settled", || transport.settled().len() == 1).await;
    assert!(!transport.was_told(&Told::Release(1)), "one still runs");
    gate.let_through(5);
    until("it is released", || transport.was_told(&Told::Release(1))).await;
    advance(2 * LIMIT).await;
    let mut settled = transport.settled();
    settled.sort_unstable();
    assert_eq!(settled, [0, 2], "what waited is left to the next member");
    assert_eq!(
        transport.told().last(),
        Some(&Told::Release(1)),
        "and nothing follows: {:?}",
        transport.told()
    );
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_partition_without_work_is_released_at_once_and_once() {
    let Scene { transport, app, .. } = scene(Limits::default()).await;
    transport.push(revoking(1));
    until("it is released", || transport.was_told(&Told::Release(1))).await;
    advance(2 * LIMIT).await;
    assert_eq!(transport.told(), [Told::Release(1)]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_runs_beyond_the_limit_is_dropped_and_not_settled_and_makes_room() {
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let Scene { transport, gate, meter, app } = scene(limits).await;
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    transport.deliver_events(2, 1, &[placed("free", 1)]);
    until("one runs", || meter.now() == 1).await;
    transport.push(revoking(1));
    advance(LIMIT - Duration::from_millis(10)).await;
    assert_eq!(meter.now(), 1, "within the limit");
    until("it is released", || transport.was_told(&Told::Release(1))).await;
    until("what waited of another partition runs", || transport.settled() == [1]).await;
    assert_eq!(meter.now(), 0);
    gate.let_through(1);
    advance(LIMIT).await;
    assert_eq!(transport.settled(), [1]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_is_lost_is_dropped_at_once_and_other_partitions_go_on() {
    let Scene { transport, gate, meter, app } = scene(Limits::default()).await;
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1)]);
    transport.deliver_events(2, 2, &[placed("b", 2), placed("b", 3)]);
    until("two lanes run", || meter.now() == 2).await;
    transport.push(lost(1));
    until("one is dropped", || meter.now() == 1).await;
    gate.let_through(10);
    until("the others are settled", || transport.settled() == [2, 3]).await;
    advance(LIMIT).await;
    assert_eq!(transport.settled(), [2, 3], "and of what is lost nothing");
    assert!(!transport.was_told(&Told::Release(1)), "there is nothing to release");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_outcome_that_comes_late_does_not_count_against_the_budget_twice() {
    let Scene { transport, gate, app, .. } = scene(Limits { events: 2, ..Limits::default() }).await;
    // Settling what is of the first epoch hangs until it is lost.
    transport.refuse(|settlement| {
        (settlement.token.epoch == Epoch(1)).then(|| Error::new(ErrorKind::Settle, "settling: no answer"))
    });
    gate.let_through(100);
    transport.deliver_events(1, 0, &[placed("a", 0), placed("b", 1)]);
    work(50).await;
    transport.push(lost(1));
    work(50).await;
    transport.refuse(|_| None);
    advance(Duration::from_secs(40)).await;
    let more: Vec<_> = (0..10).map(|number| placed("c", number)).collect();
    transport.deliver_events(2, 10, &more);
    until("the new ones are settled", || (10..20).all(|number| transport.was_told(&Told::Ack(number)))).await;
    assert_eq!(app.stats()["shop.take"].handled, 12);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_runs_and_what_waits_is_kept_alive_until_it_is_settled() {
    let transport = Scripted::with(|can| can.settle_within = Some(Duration::from_secs(30)));
    let gate = Gate::closed();
    let app = shop(take().timeout(Duration::from_secs(3600)), pass)(transport.bus())
        .state(gate.clone())
        .state(Meter::default());
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1)]);
    advance(Duration::from_secs(95)).await;
    let kept =
        || transport.told().into_iter().filter(|told| matches!(told, Told::KeepAlive(_))).collect::<Vec<_>>();
    assert_eq!(kept(), vec![Told::KeepAlive(vec![0, 1]); 9], "every third of the broker's time");
    gate.let_through(1);
    until("the first is settled", || transport.settled() == [0]).await;
    advance(Duration::from_secs(10)).await;
    assert_eq!(kept().last(), Some(&Told::KeepAlive(vec![1])));
    gate.let_through(1);
    until("both are settled", || transport.settled() == [0, 1]).await;
    let before = kept().len();
    advance(Duration::from_secs(100)).await;
    assert_eq!(kept().len(), before);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn events_of_one_key_keep_their_order_over_two_assignments() {
    let (transport, log) = (Scripted::new(), Log::<u32>::new());
    let handler = |order: Placed, State(log): State<Log<u32>>| async move {
        work(5).await;
        log.add(order.number);
    };
    let app = shop(take(), handler)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    let of = |epoch: u64, number: u32| {
        let number_64 = u64::from(number);
        delivery(epoch, number_64, message(&format!("e-{number}"), &placed("a", number)))
    };
    transport.deliver([of(1, 0), of(1, 1), of(1, 2)]);
    work(7).await;
    transport.push(lost(1));
    // The second was running: it comes again, and what follows.
    transport.deliver([of(2, 1), of(2, 2), of(2, 3)]);
    until("all are settled", || transport.was_told(&Told::Ack(3))).await;
    assert_eq!(log.all(), [0, 1, 2, 3]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_member_that_joins_takes_over_without_loss_or_repetition() {
    let log: Log<(String, u32)> = Log::new();
    let env = Env::seeded(1);
    let memory = Memory::builder().env(env.clone()).build();
    let handler = |order: Placed, State(log): State<Log<(String, u32)>>| async move {
        work(3).await;
        log.add((order.order, order.number));
    };
    let member = || {
        let bus = Bus::builder(memory.clone()).env(env.clone()).build();
        shop(take(), handler)(bus).state(log.clone()).keep_buses_open().spawn()
    };
    let first = member().await.unwrap();
    let bus = Arc::new(first.bus().clone());
    for number in 0..40 {
        for key in ["a", "b", "c", "d", "e", "f"] {
            bus.publish(&placed(key, number)).await.unwrap();
        }
    }
    until("some are handled", || log.len() > 20).await;
    let second = member().await.unwrap();
    until("some more are handled", || log.len() > 100).await;
    assert!(second.stats()["shop.take"].handled > 0, "the second one works too");
    first.shutdown().await.unwrap();
    memory.idle().await;
    second.shutdown().await.unwrap();
    for key in ["a", "b", "c", "d", "e", "f"] {
        let all = log.all();
        let numbers: Vec<_> = all.iter().filter(|(of, _)| of == key).map(|(_, number)| *number).collect();
        assert_eq!(numbers, (0..40).collect::<Vec<_>>(), "{key}");
    }
}
