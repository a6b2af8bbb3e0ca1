//! Where a group is exactly once, outputs travel with the settlement of their cause.

use std::collections::BTreeMap;
use std::time::Duration;

use jitney::dead_letter::Reason;
use jitney::handler::{BatchPolicy, HandlerSpec};
use jitney::prelude::*;
use jitney::transport::{Epoch, SourceEvent};
use jitney::{Env, Error, ErrorKind};
use jitney_testkit::TestApp;

use super::events::{Placed, Shipped, placed, shipped};
use super::scripted::{Scripted, Told};
use super::witness::{Gate, Log, shop, take, until, work};

fn transactional() -> Scripted {
    Scripted::with(|can| can.transactional = true)
}

async fn ship(order: Placed) -> Shipped {
    shipped(&order.order, order.number)
}

/// The handler counts its calls, and fails where the order's number is 99.
async fn ship_counted(order: Placed, State(calls): State<Log<u32>>) -> Result<Shipped, HandlerError> {
    calls.add(order.number);
    match order.number {
        99 => Err(HandlerError::permanent("no such carrier")),
        number => Ok(shipped(&order.order, number)),
    }
}

/// What waits for the gate where its order is `slow`.
async fn ship_slowly(order: Placed, State(gate): State<Gate>) -> Shipped {
    if order.order == "slow" {
        gate.pass().await;
    }
    shipped(&order.order, order.number)
}

fn stored(transport: &Scripted) -> Vec<(u64, usize)> {
    let stored = |told: Told| match told {
        Told::AckWith(number, outputs) => Some((number, outputs.len())),
        _ => None,
    };
    transport.told().into_iter().filter_map(stored).collect()
}

#[jitney::test]
async fn outputs_travel_with_the_settlement_and_are_not_published_before() {
    let transport = transactional();
    let app = shop(take().exactly_once(), |order: Placed| async move {
        vec![shipped(&order.order, 0), shipped(&order.order, 1)]
    });
    let app = app(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is settled", || transport.settled() == [0]).await;
    let [Told::AckWith(0, ids)] = &transport.told()[..] else { panic!("{:?}", transport.told()) };
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    assert!(transport.sent().is_empty());
    let stats = app.stats()["shop.take"];
    assert_eq!((stats.handled, stats.outputs), (1, 2));
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_holds_for_one_handler_holds_for_its_group() {
    let transport = transactional();
    let app = || {
        let handlers = HandlerSet::new()
            .handler(HandlerSpec::new("once").group("g").exactly_once(), |_: Shipped| async {})
            .handler(HandlerSpec::new("other").group("g"), ship);
        App::new("shop", transport.bus()).handlers(handlers)
    };
    assert!(app().describe().unwrap().groups[0].exactly_once);
    let app = app().spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is settled", || stored(&transport) == [(0, 1)]).await;
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_settlement_that_fails_keeps_its_outputs_and_the_handler_does_not_run_again() {
    let (transport, calls, tries) = (transactional(), Log::<u32>::new(), Log::<Vec<String>>::new());
    let seen = tries.clone();
    transport.refuse(move |settlement| {
        let ids = settlement.outputs.iter().map(|output| output.attributes.as_ref().unwrap());
        let tried = seen.count(ids.map(|about| about.event_id.to_string()).collect());
        // Also one that is not to be tried again by its kind: others wait for it.
        let kind = [ErrorKind::Unknown, ErrorKind::Transport, ErrorKind::Config].get(tried)?;
        Some(Error::new(*kind, "storing: something was wrong"))
    });
    let app = shop(take().exactly_once(), ship_counted)(transport.bus()).state(calls.clone());
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is settled", || transport.settled() == [0]).await;
    let tries = tries.all();
    assert_eq!((tries.len(), tries[0].len()), (4, 1));
    assert!(tries.iter().all(|ids| *ids == tries[0]), "the same outputs, each time: {tries:?}");
    assert_eq!(calls.len(), 1);
    assert_eq!(app.stats()["shop.take"].outputs, 1, "counted when they are stored");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_acknowledgement_without_outputs_is_not_given_up_either() {
    let (transport, tries) = (transactional(), Log::<()>::new());
    transport.refuse(move |_| {
        (tries.count(()) < 2).then(|| Error::new(ErrorKind::Config, "settling: what is this"))
    });
    let app = shop(take().exactly_once(), |_: Placed| async {})(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is settled", || transport.told() == [Told::Ack(0)]).await;
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn outputs_that_will_never_be_stored_bury_their_cause() {
    let (transport, calls) = (transactional(), Log::<u32>::new());
    transport.refuse(|settlement| {
        let refused = !settlement.outputs.is_empty() && settlement.token.number == 1;
        refused.then(|| Error::new(ErrorKind::Rejected, "storing: forbidden"))
    });
    let app = shop(take().exactly_once(), ship_counted)(transport.bus()).state(calls.clone());
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1), placed("a", 99)]);
    until("all are settled", || transport.settled().len() == 3).await;
    assert_eq!((stored(&transport), calls.all()), (vec![(0, 1)], vec![0, 1, 99]));
    let mut letters = transport.dead_letters();
    letters.sort_by_key(|letter| letter.delivery.token);
    assert_eq!(letters.len(), 2);
    let failure = &letters[0].failure;
    assert!(
        failure.error.contains("storing an output") && failure.error.contains("forbidden"),
        "{failure:?}"
    );
    assert_eq!((failure.reason, failure.attempts), (Reason::Permanent, 1));
    assert_eq!(failure.handler.as_deref(), Some("take"));
    assert_eq!(letters[1].failure.reason, Reason::Permanent);
    assert_eq!(app.stats()["shop.take"].outputs, 1, "only what is stored");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_follows_from_a_whole_batch_goes_with_its_last_event() {
    let transport = transactional();
    let sum =
        |batch: Batch<Placed>| async move { shipped("sum", batch.iter().map(|order| order.number).sum()) };
    let spec = take().exactly_once().batch(BatchPolicy { size: 10 });
    let app = shop(spec, sum)(transport.bus()).spawn().await.unwrap();
    let orders: Vec<_> = (0..4).map(|number| placed("a", number)).collect();
    transport.deliver_events(1, 0, &orders);
    until("all are settled", || transport.settled().len() == 4).await;
    assert_eq!(stored(&transport), [(3, 1)]);
    assert!(transport.sent().is_empty());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_follows_from_one_event_of_a_batch_goes_with_that_event() {
    let transport = transactional();
    let each = |batch: Batch<Placed>| async move {
        let output =
            |order: &Envelope<Placed>| order.number.is_multiple_of(2).then(|| shipped("a", order.number));
        Each(batch.iter().map(output).collect::<Vec<_>>())
    };
    let spec = take().exactly_once().batch(BatchPolicy { size: 10 });
    let app = shop(spec, each)(transport.bus()).spawn().await.unwrap();
    let orders: Vec<_> = (0..4).map(|number| placed("a", number)).collect();
    transport.deliver_events(1, 0, &orders);
    until("all are settled", || transport.settled().len() == 4).await;
    assert_eq!(stored(&transport), [(0, 1), (2, 1)]);
    app.shutdown().await.unwrap();
}

/// One order waits in its handler, one behind it in its lane, and a later one is done and waits for the two.
async fn waiting() -> (Scripted, Gate, jitney::app::RunningApp) {
    let (transport, gate, asked) = (transactional(), Gate::closed(), Log::<u64>::new());
    let seen = asked.clone();
    transport.hold(move |settlement| {
        seen.add(settlement.token.number);
        settlement.token.number == 2
    });
    let app = shop(take().exactly_once(), ship_slowly)(transport.bus()).state(gate.clone());
    let app = app.drain_within(Duration::from_secs(3600)).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("slow", 0), placed("slow", 1), placed("free", 2)]);
    until("the last one is with the settler", || asked.all() == [2]).await;
    (transport, gate, app)
}

#[jitney::test]
async fn a_partition_is_released_when_nothing_of_it_runs_though_settlements_wait() {
    let (transport, gate, app) = waiting().await;
    transport.push(Ok(SourceEvent::Revoking { epoch: Epoch(1), limit: Duration::from_secs(3600) }));
    work(10).await;
    assert!(
        !transport.was_told(&Told::Release(1)),
        "one still runs, and what waits could be settled behind it"
    );
    gate.let_through(1);
    // The second was dropped, and what waits for it would do so in vain.
    until("it is released", || transport.was_told(&Told::Release(1))).await;
    assert_eq!(stored(&transport), [(0, 1)]);
    transport.hold(|_| false);
    transport.deliver_events(2, 1, &[placed("free", 1), placed("free", 2)]);
    until("what comes again is settled", || stored(&transport).len() == 3).await;
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_partition_is_released_when_the_last_that_ran_is_with_the_settler() {
    let (transport, gate, app) = waiting().await;
    transport.hold(|_| true);
    transport.push(Ok(SourceEvent::Revoking { epoch: Epoch(1), limit: Duration::from_secs(3600) }));
    work(10).await;
    gate.let_through(1);
    until("it is released", || transport.was_told(&Told::Release(1))).await;
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_application_stops_when_nothing_runs_though_settlements_wait() {
    let (transport, gate, app) = waiting().await;
    let tries = Log::<()>::new();
    // What fails on the way is tried again before that.
    transport.refuse(move |_| {
        (tries.count(()) == 0).then(|| Error::new(ErrorKind::Transport, "storing: no connection"))
    });
    let before = Env::system().instant();
    let stopping = Env::system().spawn(app.shutdown());
    work(10).await;
    assert!(!stopping.is_finished(), "one still runs");
    gate.let_through(1);
    stopping.await.unwrap().unwrap();
    assert!(
        before.elapsed() < Duration::from_secs(60),
        "it waited for what was dropped: {:?}",
        before.elapsed()
    );
    let told = transport.told();
    assert!(matches!(&told[..], [Told::AckWith(0, _), Told::Leave(_), Told::Close]), "{told:?}");
}

#[jitney::test]
async fn a_settlement_that_fails_is_tried_again_while_stopping() {
    let (transport, tries) = (transactional(), Log::<()>::new());
    transport.refuse(move |_| {
        (tries.count(()) < 3).then(|| Error::new(ErrorKind::Transport, "storing: no connection"))
    });
    let app = shop(take().exactly_once(), ship)(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it was tried", || transport.polls() > 1).await;
    app.shutdown().await.unwrap();
    assert!(matches!(&transport.told()[..], [Told::AckWith(0, _), Told::Leave(_), Told::Close]));
}

#[jitney::test]
async fn a_settlement_that_ends_with_the_membership_is_heard() {
    let (transport, asked, told) = (transactional(), Log::<()>::new(), Log::<String>::new());
    let (seen, hook) = (asked.clone(), told.clone());
    transport.hold(move |_| seen.count(()) == 0);
    let app = shop(take().exactly_once(), ship_counted)(transport.bus()).state(Log::<u32>::new());
    let app = app.on_dead_letter(move |letter| hook.add(letter.failure.error.clone())).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 99)]);
    until("the letter is under way", || asked.len() == 1).await;
    app.shutdown().await.unwrap();
    assert_eq!(told.all(), ["no such carrier"], "the transport stored it while it was left");
}

#[jitney::test]
async fn a_settlement_that_waits_ends_with_a_lost_partition_and_makes_room() {
    let (transport, gate, app) = waiting().await;
    transport.push(Ok(SourceEvent::Lost { epoch: Epoch(1) }));
    transport.hold(|_| false);
    transport.deliver_events(2, 0, &[placed("free", 0), placed("free", 1), placed("free", 2)]);
    until("what comes again is settled", || stored(&transport).len() == 3).await;
    gate.let_through(10);
    app.shutdown().await.unwrap();
}

/// How often each number is there, in events of a type.
fn counts(app: &TestApp, event_type: &str) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for message in app.memory().messages("Order-events") {
        if message.header_str("event-type") == Some(event_type) {
            let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
            *counts.entry(body["payload"]["number"].as_u64().unwrap()).or_default() += 1;
        }
    }
    counts
}

#[handler(exactly_once, concurrency = 4, retry(attempts = 2, from = "1ms"))]
async fn ship_exactly_once(order: Envelope<Placed>) -> Result<Option<Shipped>, HandlerError> {
    work(u64::from(order.number % 3)).await;
    match order.number % 10 {
        7 => Err(HandlerError::permanent("no such carrier")),
        8 => Ok(None),
        _ => Ok(Some(shipped(&order.order, order.number))),
    }
}

#[jitney::test(seeds = 100)]
async fn a_reader_sees_the_effect_of_each_event_once_whatever_crashes() {
    let app = TestApp::run(|bus| App::new("shop", bus).handlers(handlers![ship_exactly_once])).await;
    let second = {
        let bus = Bus::builder(app.memory().connect()).env(app.env().clone()).build();
        App::new("shop", bus).handlers(handlers![ship_exactly_once]).spawn().await.unwrap()
    };
    for number in 0..40 {
        app.publish(&placed(&format!("order-{}", number % 9), number)).await;
    }
    app.advance(Duration::from_millis(10)).await;
    second.shutdown().await.unwrap();
    app.settled().await;
    // What was published twice, since its first publishing was not answered, is two events.
    let (mut causes, effects) = (counts(&app, "Placed"), counts(&app, "Shipped"));
    let buried: usize = causes.extract_if(.., |number, _| number % 10 == 7).map(|(_, times)| times).sum();
    causes.retain(|number, _| number % 10 != 8);
    assert_eq!(causes, effects);
    assert_eq!(app.dead_letters().len(), buried);
}
