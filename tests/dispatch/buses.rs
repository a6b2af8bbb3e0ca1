//! Several buses of one application.

use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::{Env, ErrorKind};

use super::events::{Placed, Shipped, placed, shipped};
use super::scripted::{Scripted, Told};
use super::witness::{Log, attempts, shop, take, until};

fn memory(env: &Env) -> (Memory, Bus) {
    let memory = Memory::builder().env(env.clone()).build();
    let bus = Bus::builder(memory.clone()).env(env.clone()).build();
    (memory, bus)
}

#[jitney::test]
async fn handlers_stand_on_the_bus_that_they_are_given_and_publish_there() {
    let env = Env::seeded(1);
    let ((inside, inside_bus), (partners, partners_bus)) = (memory(&env), memory(&env));
    let ship = |order: Placed| async move { shipped(&order.order, order.number) };
    let handlers = HandlerSet::new().handler(take(), ship);
    let app = App::new("shop", inside_bus.clone()).bus("partners", partners_bus.clone());
    let app = app.handlers_on("partners", handlers).spawn().await.unwrap();
    inside_bus.publish(&placed("inside", 0)).await.unwrap();
    partners_bus.publish(&placed("outside", 1)).await.unwrap();
    partners.idle().await;
    assert_eq!(app.stats()["shop.take on partners"].handled, 1);
    assert_eq!((inside.messages("Order-events").len(), partners.messages("Order-events").len()), (1, 2));
    app.shutdown().await.unwrap();
    let closed = partners_bus.publish(&placed("late", 2)).await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed, "stopping closes all buses");
}

#[jitney::test]
async fn forwarding_passes_an_event_on_as_it_is() {
    let env = Env::seeded(1);
    let ((inside, inside_bus), (partners, partners_bus)) = (memory(&env), memory(&env));
    let app = shop(take(), |_: Placed| async {})(inside_bus.clone()).bus("partners", partners_bus);
    let app = app.forward::<Shipped>("partners").spawn().await.unwrap();
    let id =
        inside_bus.publisher().user("u-1").pair("tenant", "t-1").publish(&shipped("a", 7)).await.unwrap();
    inside_bus.publish(&placed("a", 0)).await.unwrap();
    inside.idle().await;
    let passed = partners.messages("Order-events");
    assert_eq!(passed.len(), 1, "this type alone");
    assert_eq!(passed[0].key.as_deref(), Some(&b"a"[..]));
    let decoded = inside_bus.codec().decode(&passed[0], None).unwrap();
    let event = RawEvent::new(decoded, passed[0].clone());
    assert_eq!(event.head().event_id, id);
    assert_eq!(event.head().metadata.user_id.as_deref(), Some("u-1"));
    assert_eq!(event.head().metadata.pairs["tenant"], "t-1");
    assert_eq!(event.head().metadata.causation_id, None, "it is the same event and not one that follows");
    assert_eq!(event.decode::<Shipped>().unwrap(), shipped("a", 7));
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_event_that_cannot_be_forwarded_is_not_settled() {
    let (inside, partners, answers) = (Scripted::new(), Scripted::new(), Log::<()>::new());
    partners.answer(move |_| match answers.count(()) {
        0 | 1 => jitney::transport::Published::Unknown(jitney::Error::new(
            ErrorKind::Unknown,
            "publishing: no answer",
        )),
        _ => jitney::transport::Published::Acked,
    });
    let app = App::new("shop", inside.bus()).bus("partners", partners.bus()).retry(attempts(5));
    let app = app.forward::<Shipped>("partners").spawn().await.unwrap();
    inside.deliver_events(1, 0, &[shipped("a", 7)]);
    until("it is tried again", || partners.told().len() == 2).await;
    assert!(inside.settled().is_empty());
    until("it is passed on and settled", || inside.was_told(&Told::Ack(0))).await;
    assert_eq!(partners.told(), vec![Told::Publish("e-0".to_owned()); 3]);
    app.shutdown().await.unwrap();
}
