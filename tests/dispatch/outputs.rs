//! What a handler returns is published before its cause is settled, under ids that stay the same.

use jitney::handler::HandlerSpec;
use jitney::metadata::TraceContext;
use jitney::prelude::*;
use jitney::transport::Published;
use jitney::{Error, ErrorKind, Id};
use jitney_testkit::TestApp;

use super::events::{Placed, Shipped, message, placed, shipped};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Log, shop, take, until};

async fn ship(order: Placed) -> Shipped {
    shipped(&order.order, order.number)
}

fn published(transport: &Scripted) -> Vec<String> {
    let id = |told: Told| if let Told::Publish(id) = told { Some(id) } else { None };
    transport.told().into_iter().filter_map(id).collect()
}

#[jitney::test]
async fn an_output_is_published_before_its_cause_is_settled() {
    let transport = Scripted::new();
    let app = shop(take(), ship)(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is settled", || transport.settled() == [0]).await;
    assert!(matches!(transport.told()[..], [Told::Publish(_), Told::Ack(0)]), "{:?}", transport.told());
    assert_eq!(app.stats()["shop.take"].outputs, 1);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_output_that_is_not_acked_is_published_again_without_running_the_handler_again() {
    let (transport, calls, answers) = (Scripted::new(), Log::<()>::new(), Log::<()>::new());
    transport.answer(move |_| match answers.count(()) {
        0 => Published::Unknown(Error::new(ErrorKind::Unknown, "publishing: no answer")),
        1 => Published::Rejected(Error::new(ErrorKind::Rejected, "publishing: too busy").retryable(true)),
        _ => Published::Acked,
    });
    let handler = |order: Placed, State(calls): State<Log<()>>| async move {
        calls.add(());
        shipped(&order.order, order.number)
    };
    let app = shop(take(), handler)(transport.bus()).state(calls.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is tried again", || published(&transport).len() == 2).await;
    assert!(transport.settled().is_empty(), "not before the output is acked");
    until("it is settled", || transport.settled() == [0]).await;
    assert_eq!(calls.len(), 1);
    let ids = published(&transport);
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "one event, one id: {ids:?}");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn outputs_are_published_again_from_the_first_one_on_that_was_not_acked_so_that_they_keep_their_order()
{
    let (transport, answers) = (Scripted::new(), Log::<()>::new());
    transport.answer(move |_| match answers.count(()) {
        1 => Published::Unknown(Error::new(ErrorKind::Unknown, "publishing: no answer")),
        _ => Published::Acked,
    });
    let three = |order: Placed| async move { (0..3).map(|n| shipped(&order.order, n)).collect::<Vec<_>>() };
    let app = shop(take(), three)(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is settled", || transport.settled() == [0]).await;
    let ids = published(&transport);
    assert_eq!(ids.len(), 5);
    assert_eq!(ids[3..], ids[1..3]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_redelivery_publishes_the_same_ids_and_another_cause_others() {
    let transport = Scripted::new();
    let two = |order: Placed| async move { (shipped(&order.order, 0), shipped(&order.order, 1)) };
    let app = shop(take(), two)(transport.bus()).spawn().await.unwrap();
    let cause = message("e-0", &placed("a", 0));
    transport.deliver([delivery(1, 0, cause.clone()), delivery(1, 1, cause)]);
    transport.deliver([delivery(1, 2, message("e-1", &placed("a", 0)))]);
    until("all are settled", || transport.settled().len() == 3).await;
    let ids = published(&transport);
    assert_eq!(ids[..2], ids[2..4]);
    assert_ne!(ids[0], ids[1]);
    assert!(!ids[..4].contains(&ids[4]) && !ids[..4].contains(&ids[5]));
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn two_groups_give_one_cause_outputs_of_different_ids() {
    let handlers = || {
        HandlerSet::new()
            .handler(HandlerSpec::new("ship").group("one"), ship)
            .handler(HandlerSpec::new("ship").group("two"), ship)
    };
    let app = TestApp::run(move |bus| App::new("shop", bus).handlers(handlers())).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    app.assert_published_times::<Shipped>(2);
}

#[jitney::test(seeds = 30)]
async fn under_duplicates_and_crashes_an_idempotent_reader_sees_each_output_once() {
    each_output_is_seen_once().await;
}

#[jitney::test(semantics = "eventbridge", seeds = 30)]
async fn without_order_an_idempotent_reader_sees_each_output_once() {
    each_output_is_seen_once().await;
}

#[jitney::test(semantics = "rabbitmq", seeds = 30)]
async fn under_broken_connections_an_idempotent_reader_sees_each_output_once() {
    each_output_is_seen_once().await;
}

async fn each_output_is_seen_once() {
    let seen: Log<(String, u32)> = Log::new();
    let tell = |order: Shipped, State(seen): State<Log<(String, u32)>>| async move {
        seen.add((order.order, order.number));
    };
    let app = TestApp::run(move |bus| {
        let handlers = HandlerSet::new()
            .handler(HandlerSpec::new("ship"), ship)
            .handler(HandlerSpec::new("tell").idempotent(), tell);
        App::new("shop", bus).handlers(handlers)
    })
    .state(seen.clone())
    .await;
    // Under an id of the test's own: what is published again after an unknown outcome is the same event.
    for number in 0..10 {
        let (id, event) = (Id::from(format!("e-{number}").as_str()), placed("a", number));
        while app.bus().publisher().publish_as(id.clone(), &event).await.is_err() {}
    }
    app.settled().await;
    let mut seen = seen.all();
    seen.sort();
    assert_eq!(seen, (0..10).map(|number| ("a".to_owned(), number)).collect::<Vec<_>>());
}

#[jitney::test]
async fn an_output_carries_the_chain_of_its_cause_on() {
    let app = TestApp::run(shop(take(), ship)).await;
    let trace = TraceContext { parent: "00-4bf9-00f0-01".into(), state: Some("vendor=1".into()) };
    let publisher = app.bus().publisher().user("u-1").correlation("c-1").trace(trace.clone());
    let cause = publisher.publish(&placed("a", 0)).await.unwrap();
    app.settled().await;
    let output = app.published::<Shipped>().remove(0);
    let metadata = output.metadata();
    assert_eq!(metadata.user_id.as_deref(), Some("u-1"));
    assert_eq!(metadata.correlation_id, Some(Id::from("c-1")));
    assert_eq!(metadata.causation_id, Some(cause));
    assert_eq!(metadata.trace, Some(trace));
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order)]
enum Decision {
    Accepted { order: String },
    Refused { order: String },
}

async fn run<F, Args>(handler: F) -> Vec<String>
where
    F: jitney::handler::HandlerFn<Args>,
    Args: Send + 'static,
{
    let app = TestApp::run(shop(take(), handler)).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    app.assert_no_dead_letters();
    assert_eq!(app.stats("shop.take").handled, 1);
    let messages = app.memory().messages("Order-events");
    let name = |message: &jitney::message::Message| message.header_str("event-type").unwrap().to_owned();
    messages[1..].iter().map(|message| name(message)).collect()
}

#[jitney::test]
async fn a_handler_returns_nothing_one_some_many_or_different_events() {
    let one = || shipped("a", 0);
    let none: [&str; 0] = [];
    assert_eq!(run(|_: Placed| async {}).await, none);
    assert_eq!(run(move |_: Placed| async move { one() }).await, ["Shipped"]);
    assert_eq!(run(|_: Placed| async { None::<Shipped> }).await, none);
    assert_eq!(run(move |_: Placed| async move { Some(one()) }).await, ["Shipped"]);
    assert_eq!(run(move |_: Placed| async move { vec![one(), one()] }).await, ["Shipped", "Shipped"]);
    let refused = || Decision::Refused { order: "a".into() };
    assert_eq!(run(move |_: Placed| async move { (one(), refused()) }).await, ["Shipped", "Refused"]);
    let accepted = || Decision::Accepted { order: "a".into() };
    assert_eq!(run(move |_: Placed| async move { accepted() }).await, ["Accepted"]);
    assert_eq!(
        run(move |_: Placed| async move { Ok::<_, Error>(Some((one(), vec![one()]))) }).await,
        ["Shipped", "Shipped"]
    );
    assert_eq!(
        run(move |_: Placed| async move { Outcome::publish(one()).and_publish(one()) }).await,
        ["Shipped", "Shipped"]
    );
}

#[jitney::test]
async fn an_output_that_can_never_be_published_buries_its_cause_and_runs_the_handler_once() {
    let transport = Scripted::new();
    transport.answer(|_| Published::Rejected(Error::new(ErrorKind::Rejected, "publishing: forbidden")));
    let calls = Log::<()>::new();
    let handler = |order: Placed, State(calls): State<Log<()>>| async move {
        calls.add(());
        shipped(&order.order, 0)
    };
    let app = shop(take(), handler)(transport.bus()).state(calls.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("it is a dead letter", || transport.dead_letters().len() == 1).await;
    let failure = &transport.dead_letters()[0].failure;
    assert!(failure.error.contains("publishing an output") && failure.error.contains("forbidden"));
    assert_eq!((calls.len(), failure.attempts), (1, 1));
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn outputs_that_find_the_bus_closed_leave_their_cause_unsettled() {
    let transport = Scripted::new();
    transport.answer(|_| Published::Rejected(Error::new(ErrorKind::Closed, "publishing: the bus is closed")));
    let app = shop(take(), ship)(transport.bus()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    until("the output was tried", || !published(&transport).is_empty()).await;
    app.shutdown().await.unwrap();
    assert!(transport.settled().is_empty(), "it comes again: {:?}", transport.told());
}

/// An event that cannot be written.
#[derive(Debug, Clone, Deserialize)]
struct Cursed;

impl Serialize for Cursed {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("a curse")
    }
}

impl DomainEvent for Cursed {
    const TYPES: &'static [jitney::event::EventType] = &[jitney::event::EventType::new(
        "Cursed",
        "Order",
        jitney::event::Version::new(1, 0),
        "Order-events",
    )];

    fn event_type(&self) -> &'static jitney::event::EventType {
        &Self::TYPES[0]
    }

    fn decode(payload: &jitney::event::StoredPayload<'_>) -> Result<Self, jitney::event::DecodeError> {
        payload.read()
    }
}

impl Keyed for Cursed {
    fn aggregate_id(&self) -> String {
        "a".to_owned()
    }
}

#[jitney::test]
async fn an_output_whose_encoding_panics_buries_its_cause_and_does_not_end_the_group() {
    let app = TestApp::run(shop(take(), |_: Placed| async { Cursed })).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    app.assert_dead_letter(|letter| {
        letter.header_str("jitney-dead-error").is_some_and(|error| error.contains("panicked: a curse"))
    });
    assert!(app.running().health().is_healthy());
}
