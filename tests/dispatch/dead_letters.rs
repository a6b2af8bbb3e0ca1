//! What is given up is kept whole, with the reason beside it, and never lost on the way.

use std::fmt;
use std::time::Duration;

use jitney::dead_letter::{DeadLetter, MAX_HEADER_BYTES, Reason};
use jitney::message::Header;
use jitney::prelude::*;
use jitney::transport::Settle;
use jitney::{Error, ErrorKind};
use jitney_testkit::TestApp;

use super::events::{Placed, Shipped, message, placed, shipped};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Log, advance, attempts, shop, take, until};

/// An error with a cause.
#[derive(Debug)]
struct Outer(fmt::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("charging the card")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

async fn fail(_: Placed) -> Result<(), Outer> {
    Err(Outer(fmt::Error))
}

#[jitney::test]
async fn a_dead_letter_is_the_message_untouched_with_the_failure_beside_it() {
    let app = TestApp::run(shop(take().retry(attempts(2)), fail)).await;
    app.bus().publisher().user("u-1").correlation("c-1").publish(&placed("a", 0)).await.unwrap();
    app.settled().await;
    let original = app.memory().messages("Order-events")[0].clone();
    let letter = app.dead_letters().remove(0);
    assert_eq!(letter.body, original.body);
    assert_eq!(letter.key, original.key);
    assert_eq!(letter.time, original.time);
    assert_eq!(letter.headers[..original.headers.len()], original.headers[..]);
    let said = |name: &str| letter.header_str(name).unwrap();
    assert_eq!(said("jitney-dead-reason"), "exhausted");
    assert_eq!(said("jitney-dead-error"), format!("charging the card: {}", fmt::Error));
    assert_eq!(said("jitney-dead-attempts"), "2");
    assert_eq!(said("jitney-dead-group"), "shop.take");
    assert_eq!(said("jitney-dead-handler"), "take");
    assert_eq!(said("jitney-dead-topic"), "Order-events");
    assert_eq!(said("jitney-dead-position"), "0");
    assert!(said("jitney-dead-partition").parse::<u32>().is_ok());
    assert!(said("jitney-dead-time").parse::<jiff::Timestamp>().is_ok());
}

#[jitney::test]
async fn what_is_said_about_the_failure_is_cut_to_its_bound_between_letters() {
    let fail = |_: Placed| async { Err::<(), _>(HandlerError::permanent("ü".repeat(5_000))) };
    let app = TestApp::run(shop(take(), fail)).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    let letter = app.dead_letters().remove(0);
    let error = letter.header_str("jitney-dead-error").unwrap();
    assert_eq!(error.len(), MAX_HEADER_BYTES);
    assert!(error.chars().all(|letter| letter == 'ü'));
}

#[jitney::test]
async fn a_dead_letter_that_dies_again_tells_of_the_last_time_alone() {
    let transport = Scripted::new();
    let app = shop(take().retry(attempts(1)), fail)(transport.bus()).spawn().await.unwrap();
    let mut again = message("e-0", &placed("a", 0));
    again.headers.push(Header::new("jitney-dead-reason", "requested"));
    again.headers.push(Header::new("ours", "kept"));
    transport.deliver([delivery(1, 0, again)]);
    until("it is a dead letter", || transport.dead_letters().len() == 1).await;
    let letter = transport.dead_letters()[0].to_message("graves".into());
    let reasons = letter.headers.iter().filter(|header| header.name == "jitney-dead-reason");
    assert_eq!(reasons.map(|header| &header.value[..]).collect::<Vec<_>>(), [b"exhausted"]);
    assert_eq!(letter.header_str("ours"), Some("kept"));
    app.shutdown().await.unwrap();
}

/// Refuses dead letters as long as `kind` says, then takes them.
fn refuse_dead_letters(transport: &Scripted, times: usize, kind: ErrorKind) -> Log<()> {
    let refused = Log::new();
    let count = refused.clone();
    transport.refuse(move |settlement| {
        let refuse = matches!(settlement.settle, Settle::DeadLetter(_)) && count.len() < times;
        refuse.then(|| {
            count.add(());
            Error::new(kind, "storing a dead letter: there is no such topic")
        })
    });
    refused
}

#[jitney::test]
async fn a_dead_letter_that_cannot_be_stored_leaves_its_delivery_unsettled_and_is_tried_again() {
    for kind in [ErrorKind::Transport, ErrorKind::Rejected] {
        let (transport, hooked) = (Scripted::new(), Log::new());
        let refused = refuse_dead_letters(&transport, 6, kind);
        let hook = hooked.clone();
        let app = shop(take().retry(attempts(1)), fail)(transport.bus())
            .on_dead_letter(move |letter: &DeadLetter| hook.add(letter.failure.reason));
        let app = app.spawn().await.unwrap();
        transport.deliver_events(1, 0, &[placed("a", 0)]);
        until("it was refused", || refused.len() > 0).await;
        assert!(transport.settled().is_empty(), "nothing is settled meanwhile");
        assert_eq!(hooked.len(), 0, "nobody is told of what is not stored");
        until("it is stored", || transport.was_told(&Told::DeadLetter(0, Reason::Exhausted))).await;
        until("the hook is told", || hooked.len() == 1).await;
        assert_eq!(refused.len(), 6);
        assert_eq!(app.stats()["shop.take"].dead_lettered, 1);
        app.shutdown().await.unwrap();
    }
}

#[jitney::test]
async fn an_acknowledgement_that_fails_is_tried_again_without_the_handler() {
    let (transport, calls) = (Scripted::new(), Log::<()>::new());
    let failures = Log::new();
    transport.refuse(move |_| {
        (failures.count(()) < 3).then(|| Error::new(ErrorKind::Settle, "settling: no answer"))
    });
    let handler = |_: Placed, State(calls): State<Log<()>>| async move { calls.add(()) };
    let app = shop(take(), handler)(transport.bus()).state(calls.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is settled", || transport.settled() == [0]).await;
    assert_eq!(calls.len(), 1);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_acknowledgement_that_is_refused_for_good_does_not_hold_the_group_up() {
    let transport = Scripted::new();
    transport.refuse(|settlement| {
        (settlement.token.number == 0).then(|| Error::new(ErrorKind::Rejected, "settling: no such delivery"))
    });
    let app = shop(take(), |_: Placed| async {})(transport.bus())
        .limits(jitney::dispatch::Limits { events: 1, ..Default::default() });
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1)]);
    until("the next one is settled", || transport.settled() == [1]).await;
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_hook_that_panics_does_not_end_the_group() {
    let transport = Scripted::new();
    let app = shop(take().retry(attempts(1)), fail)(transport.bus()).on_dead_letter(|_| panic!("a bad hook"));
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("a", 1)]);
    until("both are dead letters", || transport.dead_letters().len() == 2).await;
    assert!(app.health().is_healthy());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn types_that_nobody_handles_are_settled_and_counted() {
    let app = TestApp::run(shop(take(), |_: Placed| async {})).await;
    app.publish(&shipped("a", 0)).await;
    app.settled().await;
    app.assert_no_dead_letters();
    assert_eq!(app.stats("shop.take").skipped, 1);
}

#[jitney::test]
async fn types_that_nobody_handles_are_dead_letters_of_a_strict_application() {
    let app = TestApp::run(shop(take(), |_: Placed| async {})).with(App::strict).await;
    app.publish(&shipped("a", 0)).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header_str("jitney-dead-reason"), Some("unhandled"));
    assert!(letters[0].header_str("jitney-dead-error").unwrap().contains("`Shipped`"));
    assert_eq!(app.stats("shop.take").skipped, 0);
}

#[jitney::test]
async fn bytes_that_are_no_event_are_a_dead_letter_as_they_came() {
    let transport = Scripted::new();
    let app = shop(take(), |_: Placed| async {})(transport.bus()).spawn().await.unwrap();
    for (number, body) in [&b"\xff\xfe"[..], b"", b"{}", b"[1,2", br#"{"eventId":7}"#].into_iter().enumerate()
    {
        let mut broken = message("e-0", &placed("a", 0));
        broken.body = body.into();
        transport.deliver([delivery(1, number as u64, broken)]);
    }
    until("all are dead letters", || transport.dead_letters().len() == 5).await;
    for letter in transport.dead_letters() {
        assert_eq!(letter.failure.reason, Reason::Undecodable);
        assert_eq!((letter.failure.attempts, &letter.failure.handler), (0, &None));
    }
    assert_eq!(&transport.dead_letters()[0].delivery.message.body[..], b"\xff\xfe");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_payload_of_another_shape_is_undecodable_and_is_not_tried_again() {
    let transport = Scripted::new();
    let handlers = HandlerSet::new().handler(take(), |_: Shipped| async {});
    let app = App::new("shop", transport.bus()).handlers(handlers).spawn().await.unwrap();
    let mut broken = message("e-0", &shipped("a", 0));
    let text = String::from_utf8(broken.body.to_vec()).unwrap();
    broken.body = text.replace("\"number\":0", "\"number\":\"many\"").into();
    transport.deliver([delivery(1, 0, broken)]);
    until("it is a dead letter", || transport.dead_letters().len() == 1).await;
    let failure = &transport.dead_letters()[0].failure;
    assert_eq!((failure.reason, failure.attempts), (Reason::Undecodable, 1));
    assert!(failure.error.contains("`Shipped`") && failure.error.contains("many"), "{}", failure.error);
    advance(Duration::from_secs(60)).await;
    assert_eq!(app.stats()["shop.take"].retried, 0);
    app.shutdown().await.unwrap();
}
