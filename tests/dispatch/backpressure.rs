//! No more is fetched than fits the budget, and what is settled makes room.

use jitney::dispatch::Limits;
use jitney::prelude::*;
use jitney::{Error, ErrorKind};

use super::events::{Placed, message, placed};
use super::scripted::Scripted;
use super::witness::{Gate, Log, shop, take, until, work};

async fn pass(_: Placed, State(gate): State<Gate>) {
    gate.pass().await;
}

fn hundred() -> Vec<Placed> {
    (0..100).map(|number| placed(&format!("k{number:02}"), number)).collect()
}

#[jitney::test]
async fn no_more_events_are_fetched_and_unsettled_than_the_limit() {
    let (transport, gate) = (Scripted::new(), Gate::closed());
    let limits = Limits { events: 8, ..Limits::default() };
    let app = shop(take(), pass)(transport.bus()).state(gate.clone()).limits(limits).spawn().await.unwrap();
    transport.deliver_events(1, 0, &hundred());
    work(100).await;
    assert_eq!(transport.most_unsettled(), 8);
    for settled in 1..=100 {
        gate.let_through(1);
        until("one more is settled", || transport.settled().len() == settled).await;
    }
    assert_eq!(transport.most_unsettled(), 8);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn no_more_bytes_are_fetched_and_unsettled_than_about_the_limit() {
    let (transport, gate) = (Scripted::new(), Gate::closed());
    let size = message("e-0", &placed("k00", 0)).size();
    let limits = Limits { bytes: 3 * size, ..Limits::default() };
    let app = shop(take(), pass)(transport.bus()).state(gate.clone()).limits(limits).spawn().await.unwrap();
    transport.deliver_events(1, 0, &hundred());
    work(100).await;
    assert!((3..=4).contains(&transport.most_unsettled()), "{}", transport.most_unsettled());
    gate.let_through(100);
    until("all are settled", || transport.settled().len() == 100).await;
    assert!(transport.most_unsettled() <= 4);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_event_that_is_larger_than_the_whole_budget_comes_alone() {
    let transport = Scripted::new();
    let limits = Limits { bytes: 10, ..Limits::default() };
    let app = shop(take(), |_: Placed| async {})(transport.bus()).limits(limits).spawn().await.unwrap();
    transport.deliver_events(1, 0, &hundred()[..5]);
    until("all are settled", || transport.settled().len() == 5).await;
    assert_eq!(transport.most_unsettled(), 1);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_is_handled_and_not_settled_yet_counts() {
    let (transport, blocked) = (Scripted::new(), Log::<()>::new());
    let until_told = blocked.clone();
    transport.refuse(move |_| {
        (until_told.len() == 0).then(|| Error::new(ErrorKind::Settle, "settling: no answer"))
    });
    let limits = Limits { events: 8, ..Limits::default() };
    let app = shop(take(), |_: Placed| async {})(transport.bus()).limits(limits).spawn().await.unwrap();
    transport.deliver_events(1, 0, &hundred());
    work(5_000).await;
    assert_eq!((transport.settled().len(), transport.most_unsettled()), (0, 8));
    blocked.add(());
    until("all are settled", || transport.settled().len() == 100).await;
    app.shutdown().await.unwrap();
}
