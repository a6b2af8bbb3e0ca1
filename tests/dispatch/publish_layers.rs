//! Layers between envelope and codec, on both ways.

use async_trait::async_trait;
use jitney::dead_letter::Reason;
use jitney::handler::HandlerError;
use jitney::prelude::*;
use jitney::publish::{Origin, OutgoingEvent, PublishLayer};
use jitney::{Env, Error, ErrorKind};

use super::events::{Placed, placed, shipped};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Log, attempts, shop, take, until};

/// Shifts every letter on the way out, and back on the way in; the payload becomes a string.
#[derive(Debug, Clone)]
struct Shift(u8, Log<String>);

impl Shift {
    fn shifted(bytes: &[u8], by: u8) -> Vec<u8> {
        bytes.iter().map(|byte| byte.wrapping_add(by)).collect()
    }
}

#[async_trait]
impl PublishLayer for Shift {
    async fn outgoing(&self, event: &mut OutgoingEvent) -> Result<(), Error> {
        self.1.add(format!("out {}", self.0));
        let hex: String =
            Shift::shifted(&event.payload, self.0).iter().map(|byte| format!("{byte:02x}")).collect();
        event.payload = format!("\"{hex}\"").into();
        Ok(())
    }

    async fn incoming(&self, event: &mut RawEvent) -> Result<(), Error> {
        self.1.add(format!("in {}", self.0));
        let refuse = || Error::new(ErrorKind::Layer, "opening a payload: it is not sealed by us");
        let hex: String = serde_json::from_slice(event.payload_json()).map_err(|_| refuse())?;
        let bytes: Option<Vec<u8>> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()).collect();
        event.set_payload_json(Shift::shifted(&bytes.ok_or_else(refuse)?, self.0.wrapping_neg()));
        Ok(())
    }
}

/// Refuses some events, by what it is told, on the way out and in.
#[derive(Debug, Clone)]
struct Refuses {
    asked: Log<()>,
    times: usize,
    retryable: bool,
}

impl Refuses {
    fn answer(&self) -> Result<(), Error> {
        if self.asked.count(()) < self.times {
            let error = Error::new(ErrorKind::Layer, "checking an event: not this one");
            return Err(error.retryable(self.retryable));
        }
        Ok(())
    }
}

#[async_trait]
impl PublishLayer for Refuses {
    async fn outgoing(&self, _: &mut OutgoingEvent) -> Result<(), Error> {
        self.answer()
    }

    async fn incoming(&self, _: &mut RawEvent) -> Result<(), Error> {
        self.answer()
    }
}

fn bus(transport: &Scripted, layers: impl IntoIterator<Item = impl PublishLayer>) -> Bus {
    let builder = Bus::builder(transport.clone()).env(Env::seeded(1));
    layers.into_iter().fold(builder, jitney::publish::BusBuilder::layer).build()
}

/// What `event` looks like behind the layers of `bus`.
async fn sealed(bus: &Bus, transport: &Scripted, event: &Placed) -> jitney::message::Message {
    bus.publish(event).await.unwrap();
    transport.sent().pop().unwrap()
}

#[jitney::test]
async fn layers_are_passed_in_order_on_the_way_out_and_in_reverse_on_the_way_in() {
    let (transport, story, log) = (Scripted::new(), Log::<String>::new(), Log::<u32>::new());
    let bus = bus(&transport, [Shift(1, story.clone()), Shift(2, story.clone())]);
    let message = sealed(&bus, &transport, &placed("a", 7)).await;
    assert!(!String::from_utf8_lossy(&message.body).contains("number"), "the payload is replaced");
    let handler = |order: Placed, State(log): State<Log<u32>>| async move { log.add(order.number) };
    let app = shop(take(), handler)(bus).state(log.clone()).spawn().await.unwrap();
    transport.deliver([delivery(1, 0, message)]);
    until("it is settled", || transport.settled() == [0]).await;
    assert_eq!(story.all(), ["out 1", "out 2", "in 2", "in 1"]);
    assert_eq!(log.all(), [7]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_a_layer_refuses_on_the_way_out_is_not_published() {
    let transport = Scripted::new();
    let bus = bus(&transport, [Refuses { asked: Log::new(), times: 1, retryable: false }]);
    let error = bus.publish(&placed("a", 7)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Layer, false));
    assert!(transport.told().is_empty());
    bus.publish(&placed("a", 7)).await.unwrap();
}

#[jitney::test]
async fn what_a_layer_refuses_on_the_way_in_is_a_dead_letter_as_it_came_and_at_once() {
    let (transport, log) = (Scripted::new(), Log::<u32>::new());
    let bus = bus(&transport, [Shift(1, Log::new())]);
    let handler = |order: Placed, State(log): State<Log<u32>>| async move { log.add(order.number) };
    let app = shop(take(), handler)(bus).state(log.clone()).spawn().await.unwrap();
    let before = Env::system().instant();
    transport.deliver_events(1, 0, &[placed("a", 7)]);
    until("it is a dead letter", || transport.dead_letters().len() == 1).await;
    let letter = transport.dead_letters().remove(0);
    assert_eq!((letter.failure.reason, letter.failure.handler), (Reason::Refused, None));
    assert!(letter.failure.error.contains("not sealed by us"));
    assert!(String::from_utf8_lossy(&letter.delivery.message.body).contains("\"number\":7"));
    assert!((Env::system().instant() - before).as_millis() <= 2, "no pause behind a decision");
    assert!(log.all().is_empty());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_layer_that_fails_is_asked_again_with_the_event_as_it_came() {
    let (transport, log, story) = (Scripted::new(), Log::<u32>::new(), Log::new());
    let plain = bus(&transport, [Shift(1, story.clone())]);
    let message = sealed(&plain, &transport, &placed("a", 7)).await;
    // `Shift` is the nearest to the wire: it has opened the event when the other one fails.
    let refuses = Refuses { asked: Log::new(), times: 2, retryable: true };
    let builder = Bus::builder(transport.clone()).env(Env::seeded(1));
    let bus = builder.layer(refuses).layer(Shift(1, story)).build();
    let handler = |order: Placed, State(log): State<Log<u32>>| async move { log.add(order.number) };
    let app = shop(take().retry(attempts(5)), handler)(bus).state(log.clone()).spawn().await.unwrap();
    transport.deliver([delivery(1, 0, message)]);
    until("it is settled", || transport.settled() == [0]).await;
    assert_eq!(log.all(), [7]);
    assert!(transport.dead_letters().is_empty());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_layer_that_never_succeeds_ends_in_a_dead_letter() {
    let transport = Scripted::new();
    let refuses = Refuses { asked: Log::new(), times: usize::MAX, retryable: true };
    let app = shop(take().retry(attempts(3)), |_: Placed| async {})(bus(&transport, [refuses.clone()]));
    let app = app.spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 7)]);
    until("it is a dead letter", || transport.was_told(&Told::DeadLetter(0, Reason::Refused))).await;
    assert_eq!(refuses.asked.len(), 3);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn in_a_batch_a_layer_that_fails_for_one_event_makes_that_one_wait_alone() {
    let (transport, log) = (Scripted::new(), Log::<Vec<u32>>::new());
    let refuses = Refuses { asked: Log::new(), times: 1, retryable: true };
    let handler = |batch: Batch<Placed>, State(log): State<Log<Vec<u32>>>| async move {
        log.add(batch.iter().map(|order| order.number).collect());
    };
    let app = shop(take(), handler)(bus(&transport, [refuses])).state(log.clone()).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("a", 0), placed("b", 1), placed("c", 2)]);
    until("all are settled", || transport.settled().len() == 3).await;
    assert_eq!(log.all(), [vec![1, 2], vec![0]]);
    app.shutdown().await.unwrap();
}

/// A layer that says it seals: `Shift`, for events of one origin.
#[derive(Debug, Clone)]
struct Seals(Shift, Option<Origin>);

#[async_trait]
impl PublishLayer for Seals {
    fn seals(&self) -> bool {
        true
    }

    fn takes(&self, origin: Origin) -> bool {
        self.1.is_none_or(|only| only == origin)
    }

    async fn outgoing(&self, event: &mut OutgoingEvent) -> Result<(), Error> {
        self.0.outgoing(event).await
    }

    async fn incoming(&self, event: &mut RawEvent) -> Result<(), Error> {
        self.0.incoming(event).await
    }
}

#[jitney::test]
async fn what_was_sealed_is_opened_anew_for_each_attempt() {
    let (transport, story, tries) = (Scripted::new(), Log::<String>::new(), Log::<u32>::new());
    let bus = bus(&transport, [Seals(Shift(1, story.clone()), None)]);
    let message = sealed(&bus, &transport, &placed("a", 7)).await;
    let handler = |order: Placed, State(tries): State<Log<u32>>| async move {
        tries.add(order.number);
        if tries.len() < 3 { Err(HandlerError::retryable("not yet")) } else { Ok(()) }
    };
    let spec = take().retry(attempts(5)).idempotent_by(|order: &Placed| order.number);
    let app = shop(spec, handler)(bus).state(tries.clone()).spawn().await.unwrap();
    transport.deliver([delivery(1, 0, message)]);
    until("it is settled", || transport.settled() == [0]).await;
    assert_eq!(tries.all(), [7, 7, 7]);
    assert_eq!(story.all(), ["out 1", "in 1", "in 1", "in 1"]);
    assert!(transport.dead_letters().is_empty());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn personal_data_is_published_only_where_a_layer_that_sees_the_event_seals() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Audit", id = id)]
    struct Copied {
        id: String,
        what: serde_json::Value,
    }

    let what = serde_json::json!({ "name": { "$personal": { "subject": "c-7", "value": "Maria Anders" } } });
    let (transport, event) = (Scripted::new(), Copied { id: "1".to_owned(), what });
    let seals = |only| bus(&transport, [Seals(Shift(1, Log::new()), only)]);
    seals(None).publish(&event).await.unwrap();
    let sent = transport.sent().len();
    for bus in [Bus::new(transport.clone()), seals(Some(Origin::Raw))] {
        let error = bus.publish(&event).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        let said = jitney::error_chain(&error);
        assert!(said.contains("only where it is sealed") && !said.contains("Maria"), "{said}");
    }
    assert_eq!(transport.sent().len(), sent);
    let outgoing = OutgoingEvent {
        head: jitney::Head::new(
            "e".into(),
            "Copied",
            "Audit",
            "1".to_owned(),
            Env::system().now(),
            jitney::event::Version::new(1, 0),
        ),
        payload: serde_json::to_vec(&event.what).unwrap().into(),
    };
    assert!(!format!("{outgoing:?}").contains("Maria"), "{outgoing:?}");
}

#[jitney::test]
async fn a_natural_key_is_read_behind_the_layers() {
    let (transport, log) = (Scripted::new(), Log::<u32>::new());
    let bus = bus(&transport, [Shift(1, Log::new())]);
    let first = sealed(&bus, &transport, &placed("a", 7)).await;
    let second = sealed(&bus, &transport, &placed("b", 7)).await;
    let handler = |order: Placed, State(log): State<Log<u32>>| async move { log.add(order.number) };
    let spec = take().idempotent_by(|order: &Placed| order.number);
    let app = shop(spec, handler)(bus).state(log.clone()).spawn().await.unwrap();
    transport.deliver([delivery(1, 0, first), delivery(1, 1, second)]);
    until("both are settled", || transport.settled().len() == 2).await;
    assert!(transport.dead_letters().is_empty());
    assert_eq!(log.all(), [7]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn outputs_pass_the_layers_too() {
    let (transport, story) = (Scripted::new(), Log::<String>::new());
    let bus = bus(&transport, [Shift(1, story.clone())]);
    let message = sealed(&bus, &transport, &placed("a", 7)).await;
    let ship = |order: Placed| async move { shipped(&order.order, order.number) };
    let app = shop(take(), ship)(bus).spawn().await.unwrap();
    transport.deliver([delivery(1, 0, message)]);
    until("it is settled", || transport.settled() == [0]).await;
    assert_eq!(story.all(), ["out 1", "in 1", "out 1"]);
    assert_eq!(transport.sent().pop().unwrap().header_str("event-type"), Some("Shipped"));
    app.shutdown().await.unwrap();
}
