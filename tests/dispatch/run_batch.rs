//! Batches that somebody else fetches and settles.

use std::time::Duration;

use jitney::Env;
use jitney::app::BatchServer;
use jitney::prelude::*;
use jitney::transport::{Delivery, Settle, Settlement};

use super::events::{Placed, message, placed, shipped};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Gate, Log, Meter, attempts, shop, take, work};

const LIMIT: Duration = Duration::from_secs(10);

async fn serve(app: App) -> BatchServer {
    let server = app.serve_batches().await.unwrap();
    assert_eq!(server.dispatchers().keys().collect::<Vec<_>>(), ["shop.take"]);
    server
}

fn of(number: u64, event: &Placed) -> Delivery {
    delivery(1, number, message(&format!("e-{number}"), event))
}

fn acked(settlements: &[Settlement]) -> Vec<u64> {
    let acks = settlements.iter().filter(|settlement| matches!(settlement.settle, Settle::Ack));
    let mut numbers: Vec<_> = acks.map(|settlement| settlement.token.number).collect();
    numbers.sort_unstable();
    numbers
}

#[jitney::test]
async fn what_became_of_each_delivery_is_answered_and_outputs_are_published_before() {
    let transport = Scripted::new();
    let handler = |order: Placed| async move {
        if order.number == 2 {
            Err(HandlerError::permanent("no"))
        } else {
            Ok(shipped(&order.order, order.number))
        }
    };
    let server = serve(shop(take(), handler)(transport.bus())).await;
    let dispatcher = &server.dispatchers()["shop.take"];
    let batch = (0..4).map(|number| of(number, &placed("a", u32::try_from(number).unwrap()))).collect();
    let settlements = dispatcher.run_batch(batch, LIMIT).await;
    assert_eq!(settlements.len(), 4);
    assert_eq!(acked(&settlements), [0, 1, 3]);
    let dead = settlements.iter().filter(|settlement| matches!(settlement.settle, Settle::DeadLetter(_)));
    assert_eq!(dead.map(|settlement| settlement.token.number).collect::<Vec<_>>(), [2]);
    assert_eq!(transport.sent().len(), 3);
    assert!(
        !transport.told().iter().any(|told| matches!(told, Told::Ack(_))),
        "settling is left to the caller"
    );
    assert_eq!(dispatcher.stats().handled, 3);
}

#[jitney::test]
async fn what_is_not_done_within_the_limit_is_dropped_and_missing() {
    let (transport, gate, meter) = (Scripted::new(), Gate::closed(), Meter::default());
    let handler = |order: Placed, State(gate): State<Gate>, State(meter): State<Meter>| async move {
        let _inside = meter.enter();
        if order.order == "slow" {
            gate.pass().await;
        }
    };
    let app = shop(take(), handler)(transport.bus()).state(gate.clone()).state(meter.clone());
    let server = serve(app).await;
    let dispatcher = &server.dispatchers()["shop.take"];
    let batch = || vec![of(0, &placed("slow", 0)), of(1, &placed("quick", 0)), of(2, &placed("slow", 1))];
    let before = Env::system().instant();
    assert_eq!(acked(&dispatcher.run_batch(batch(), LIMIT).await), [1]);
    let took = Env::system().instant() - before;
    assert!(took >= LIMIT && took < LIMIT + Duration::from_secs(1), "{took:?}");
    assert_eq!(meter.now(), 0, "nothing goes on behind the caller's back");
    gate.let_through(5);
    assert_eq!(acked(&dispatcher.run_batch(batch(), LIMIT).await), [0, 1, 2]);
}

#[jitney::test]
async fn a_batch_that_is_dropped_leaves_nothing_to_the_next_one() {
    let (transport, gate, log) = (Scripted::new(), Gate::closed(), Log::<u32>::new());
    let handler = |order: Placed, State(gate): State<Gate>, State(log): State<Log<u32>>| async move {
        gate.pass().await;
        log.add(order.number);
    };
    let spec = take().idempotent();
    let app = shop(spec, handler)(transport.bus()).state(gate.clone()).state(log.clone());
    let server = serve(app).await;
    let dispatcher = &server.dispatchers()["shop.take"];
    let first = dispatcher.run_batch(vec![of(0, &placed("a", 0)), of(1, &placed("a", 1))], LIMIT);
    assert!(Env::system().timeout(Duration::from_secs(1), first).await.is_err());
    gate.let_through(10);
    let second = dispatcher.run_batch(vec![of(5, &placed("a", 5)), of(0, &placed("a", 0))], LIMIT).await;
    assert_eq!(acked(&second), [0, 5]);
    assert_eq!(log.all(), [5, 0], "the key of what was dropped is free again");
}

#[jitney::test]
async fn events_of_one_key_keep_their_order_within_a_batch() {
    let (transport, log) = (Scripted::new(), Log::<u32>::new());
    let handler = |order: Placed, State(log): State<Log<u32>>| async move {
        work(5).await;
        log.add(order.number);
        if log.len() == 1 { Err("not yet") } else { Ok(()) }
    };
    let app = shop(take().retry(attempts(3)), handler)(transport.bus()).state(log.clone());
    let server = serve(app).await;
    let dispatcher = &server.dispatchers()["shop.take"];
    let batch = (0..4).map(|number| of(number, &placed("a", u32::try_from(number).unwrap()))).collect();
    assert_eq!(acked(&dispatcher.run_batch(batch, LIMIT).await), [0, 1, 2, 3]);
    assert_eq!(log.all(), [0, 0, 1, 2, 3]);
}

#[jitney::test]
async fn hooks_run_around_an_application_that_is_handed_batches() {
    let (transport, log) = (Scripted::new(), Log::<&'static str>::new());
    let said = |word: &'static str| {
        let log = log.clone();
        move |_: Bus| async move {
            log.add(word);
            Ok(())
        }
    };
    let dead = log.clone();
    let app =
        shop(take(), |_: Placed| async { Err::<(), _>(HandlerError::permanent("no")) })(transport.bus())
            .on_start(said("start"))
            .on_stop(said("stop"))
            .on_dead_letter(move |_| dead.add("dead"));
    let server = serve(app).await;
    assert_eq!(log.all(), ["start"]);
    let dispatcher = &server.dispatchers()["shop.take"];
    let settlements = dispatcher.run_batch(vec![of(0, &placed("a", 0))], LIMIT).await;
    assert_eq!(log.all(), ["start"], "nobody has stored the dead letter yet");
    let Settle::DeadLetter(letter) = &settlements[0].settle else { panic!("{settlements:?}") };
    dispatcher.dead_letter_stored(letter);
    assert_eq!(dispatcher.stats().dead_lettered, 1);
    server.stop().await.unwrap();
    assert_eq!(log.all(), ["start", "dead", "stop"]);
}

#[jitney::test]
async fn an_on_start_hook_that_fails_keeps_batches_from_being_served() {
    let (transport, log) = (Scripted::new(), Log::<&'static str>::new());
    let stopped = log.clone();
    let app = shop(take(), |_: Placed| async {})(transport.bus())
        .on_start(|_| async { Err(jitney::Error::new(jitney::ErrorKind::Config, "no gateway")) })
        .on_stop(move |_| async move {
            stopped.add("stop");
            Ok(())
        });
    assert_eq!(app.serve_batches().await.unwrap_err().to_string(), "no gateway");
    assert_eq!(log.all(), ["stop"]);
}

#[jitney::test]
async fn batches_cannot_be_served_exactly_once() {
    let transport = Scripted::with(|can| can.transactional = true);
    let app = shop(take().exactly_once(), |_: Placed| async {})(transport.bus());
    let error = app.serve_batches().await.unwrap_err().to_string();
    assert!(error.contains("`shop.take`") && error.contains("idempotent"), "{error}");
}
