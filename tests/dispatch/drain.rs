//! Stopping: what runs finishes, what waits is left to others, and nothing is lost or waits for ever.

use std::time::Duration;

use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::transport::{Settle, SourceEvent};
use jitney::{Env, Error, ErrorKind};

use super::events::{Placed, Shipped, placed};
use super::scripted::{Scripted, Told};
use super::witness::{Gate, Log, Meter, advance, attempts, shop, take, until, work};

type Numbers = Log<u32>;

fn memory() -> (Memory, Env) {
    let env = Env::seeded(1);
    (Memory::builder().env(env.clone()).build(), env)
}

#[jitney::test]
async fn what_runs_is_finished_and_what_waits_is_delivered_to_the_next_application() {
    let ((memory, env), log, gate) = (memory(), Numbers::new(), Gate::closed());
    let handler = |order: Placed, State(log): State<Numbers>, State(gate): State<Gate>| async move {
        gate.pass().await;
        log.add(order.number);
    };
    let app = || {
        let bus = Bus::builder(memory.clone()).env(env.clone()).build();
        shop(take(), handler)(bus).state(log.clone()).state(gate.clone()).keep_buses_open()
    };
    let first = app().spawn().await.unwrap();
    for number in 0..5 {
        first.bus().publish(&placed("a", number)).await.unwrap();
    }
    work(10).await;
    let stopping = env.spawn(first.shutdown());
    work(10).await;
    assert!(!stopping.is_finished(), "one event runs");
    gate.let_through(100);
    stopping.await.unwrap().unwrap();
    assert_eq!(log.all(), [0], "what waited is not begun any more");
    assert_eq!(memory.pending("shop.take"), 4);
    let second = app().spawn().await.unwrap();
    memory.idle().await;
    assert_eq!(log.all(), [0, 1, 2, 3, 4]);
    second.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_does_not_finish_within_the_drain_limit_is_dropped_and_comes_again() {
    let ((memory, env), meter) = (memory(), Meter::default());
    let hang = |_: Placed, State(meter): State<Meter>| async move {
        let _inside = meter.enter();
        std::future::pending::<()>().await;
    };
    let app = shop(take(), hang)(Bus::builder(memory.clone()).env(env.clone()).build());
    let app = app.state(meter.clone()).drain_within(Duration::from_secs(5)).keep_buses_open();
    let app = app.spawn().await.unwrap();
    app.bus().publish(&placed("a", 0)).await.unwrap();
    until("it runs", || meter.now() == 1).await;
    let before = env.instant();
    app.shutdown().await.unwrap();
    let took = env.instant() - before;
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(6), "{took:?}");
    assert_eq!((meter.now(), memory.pending("shop.take")), (0, 1));
}

#[jitney::test]
async fn a_settlement_that_never_succeeds_does_not_keep_the_application_from_stopping() {
    let transport = Scripted::new();
    transport.refuse(|_| Some(Error::new(ErrorKind::Settle, "settling: no answer")));
    let app = shop(take(), |_: Placed| async {})(transport.bus()).drain_within(Duration::from_secs(5));
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    work(10).await;
    let stopped = Env::system().timeout(Duration::from_secs(20), app.shutdown()).await;
    stopped.unwrap().unwrap();
    assert!(transport.settled().is_empty());
}

#[jitney::test]
async fn what_finishes_while_stopping_is_settled_before_the_group_is_left() {
    let (transport, gate) = (Scripted::new(), Gate::closed());
    let handler = |_: Placed, State(gate): State<Gate>| async move { gate.pass().await };
    let app = shop(take(), handler)(transport.bus()).state(gate.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1)]);
    work(10).await;
    let stopping = Env::system().spawn(app.shutdown());
    work(10).await;
    gate.let_through(1);
    stopping.await.unwrap().unwrap();
    assert_eq!(transport.told(), [Told::Ack(0), Told::Leave("shop.take".to_owned()), Told::Close]);
}

#[jitney::test]
async fn nothing_is_fetched_any_more_once_the_application_stops() {
    let (transport, gate) = (Scripted::new(), Gate::closed());
    let handler = |_: Placed, State(gate): State<Gate>| async move { gate.pass().await };
    let app = shop(take(), handler)(transport.bus()).state(gate.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    work(10).await;
    let stopping = Env::system().spawn(app.shutdown());
    work(10).await;
    transport.deliver_events(1, 1, &[placed("b", 1)]);
    work(10).await;
    gate.let_through(5);
    stopping.await.unwrap().unwrap();
    assert_eq!(transport.settled(), [0]);
}

#[jitney::test]
async fn a_running_application_that_is_dropped_finishes_what_runs_in_the_background() {
    let (transport, gate) = (Scripted::new(), Gate::closed());
    let handler = |_: Placed, State(gate): State<Gate>| async move { gate.pass().await };
    let app = shop(take(), handler)(transport.bus()).state(gate.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1)]);
    work(10).await;
    drop(app);
    gate.let_through(5);
    until("the group is left", || transport.was_told(&Told::Leave("shop.take".to_owned()))).await;
    assert_eq!(transport.settled(), [0]);
}

#[jitney::test]
async fn an_event_between_two_attempts_is_given_back_when_time_is_up() {
    let (transport, log) = (Scripted::new(), Numbers::new());
    let fail = |order: Placed, State(log): State<Numbers>| async move {
        log.add(order.number);
        Err::<(), _>(HandlerError::retryable("not yet"))
    };
    let spec = take().retry(attempts(1_000));
    let app = shop(spec, fail)(transport.bus()).state(log.clone()).drain_within(Duration::from_secs(3));
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it was tried", || log.len() > 1).await;
    app.shutdown().await.unwrap();
    assert!(transport.settled().is_empty());
}

#[jitney::test]
async fn a_source_that_fails_for_good_ends_the_application_with_its_error() {
    let transport = Scripted::new();
    let app = shop(take(), |_: Placed| async {})(transport.bus());
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    transport.push(Err(Error::new(ErrorKind::Rejected, "receiving: no right to read the topic")));
    let error = app.run_until(work(3_600_000)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Rejected, "receiving: no right to read the topic")
    );
    assert_eq!(transport.settled(), [0], "what came before is settled");
    assert!(transport.was_told(&Told::Close));
}

#[jitney::test]
async fn a_source_that_is_interrupted_goes_on() {
    let transport = Scripted::new();
    let app = shop(take(), |_: Placed| async {})(transport.bus()).spawn().await.unwrap();
    for number in 0..5 {
        transport.push(Err(Error::new(ErrorKind::Transport, "receiving: the connection broke")));
        transport.deliver_events(1, number, &[placed("a", 0)]);
    }
    until("all are settled", || transport.settled().len() == 5).await;
    assert!(app.health().is_healthy());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_source_that_is_interrupted_for_ever_is_not_asked_in_a_hot_loop() {
    let transport = Scripted::new();
    transport.break_source();
    let app = shop(take(), |_: Placed| async {})(transport.bus()).spawn().await.unwrap();
    advance(Duration::from_secs(60)).await;
    let polls = transport.polls();
    assert!((30..1_000).contains(&polls), "{polls} looks at it in a minute");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_application_whose_sources_have_all_closed_ends() {
    let transport = Scripted::new();
    transport.push(Ok(SourceEvent::Closed));
    let error = shop(take(), |_: Placed| async {})(transport.bus()).run_until(work(3_600_000)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("every group"), "{error}");
}

#[jitney::test]
async fn health_tells_whether_groups_receive() {
    let transport = Scripted::new();
    let app = shop(take(), |_: Placed| async {})(transport.bus()).spawn().await.unwrap();
    assert!(app.health().is_healthy(), "from the start");
    transport.push(Ok(SourceEvent::Closed));
    until("the group has ended", || !app.health().is_healthy()).await;
    assert!(!app.health().groups[0].running);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_signal_ends_the_application_without_an_error() {
    let transport = Scripted::new();
    let app = shop(take(), |_: Placed| async {})(transport.bus());
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    app.run_until(work(10)).await.unwrap();
    assert_eq!(transport.told(), [Told::Ack(0), Told::Leave("shop.take".to_owned()), Told::Close]);
}

#[jitney::test]
async fn what_the_start_began_is_ended_when_a_group_cannot_be_subscribed() {
    let (transport, hooks) = (Scripted::new(), Log::new());
    transport.refuse_group("shop.take");
    let (started, stopped) = (hooks.clone(), hooks.clone());
    let app = shop(take(), |_: Placed| async {})(transport.bus());
    let app = app.on_start(move |_| async move {
        started.add("start");
        Ok(())
    });
    let app = app.on_stop(move |_| async move {
        stopped.add("stop");
        Ok(())
    });
    app.spawn().await.unwrap_err();
    assert_eq!(hooks.all(), ["start", "stop"]);
}

#[jitney::test]
async fn groups_that_were_subscribed_leave_when_a_later_one_cannot_be() {
    let transport = Scripted::new();
    transport.refuse_group("shop.z-last");
    let handlers = HandlerSet::new()
        .handler(take().group("a-first"), |_: Placed| async {})
        .handler(take().group("z-last"), |_: Shipped| async {});
    let error = App::new("shop", transport.bus()).handlers(handlers).spawn().await.unwrap_err();
    assert!(error.to_string().contains("subscribing group `shop.z-last` to scripted://"), "{error}");
    assert_eq!(transport.told(), [Told::Leave("shop.a-first".to_owned())]);
}

#[jitney::test]
async fn a_dead_letter_is_stored_before_the_application_has_stopped() {
    let (transport, refused) = (Scripted::new(), Log::<()>::new());
    transport.refuse(move |settlement| {
        let refuse = matches!(settlement.settle, Settle::DeadLetter(_)) && refused.count(()) < 3;
        refuse.then(|| Error::new(ErrorKind::Transport, "storing a dead letter: no answer"))
    });
    let fail = |_: Placed| async { Err::<(), _>(HandlerError::permanent("no")) };
    let app = shop(take(), fail)(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    work(5).await;
    app.shutdown().await.unwrap();
    assert_eq!(transport.dead_letters().len(), 1);
}
