//! A handler that takes every event, whatever its type.

use jitney::handler::HandlerSpec;
use jitney::prelude::*;
use jitney_testkit::TestApp;

use super::events::{Placed, Shipped, message, placed, shipped};
use super::scripted::{Scripted, delivery};
use super::witness::{Log, take, until};

type Names = Log<String>;

async fn audit(event: RawEvent, State(names): State<Names>) {
    names.add(event.head().event_type.to_string());
}

#[jitney::test]
async fn it_sees_every_event_of_the_topics_of_the_application_handled_or_not() {
    let names = Names::new();
    let handlers =
        || HandlerSet::new().handler(HandlerSpec::new("audit"), audit).handler(take(), |_: Placed| async {});
    let app = TestApp::run(move |bus| App::new("shop", bus).handlers(handlers())).state(names.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.publish(&shipped("a", 0)).await;
    app.settled().await;
    assert_eq!(names.all(), ["Placed", "Shipped"]);
    assert_eq!((app.stats("shop.audit").handled, app.stats("shop.audit").skipped), (2, 0));
    assert_eq!(app.stats("shop.take").skipped, 1);
}

#[jitney::test]
async fn it_reads_the_topics_that_it_names() {
    let names = Names::new();
    let app = TestApp::run(|bus| {
        let spec = HandlerSpec::new("audit").topic("Order-events");
        App::new("shop", bus).handlers(HandlerSet::new().handler(spec, audit))
    })
    .state(names.clone())
    .await;
    app.publish(&shipped("a", 0)).await;
    app.settled().await;
    assert_eq!(names.all(), ["Shipped"]);
}

#[jitney::test]
async fn it_can_read_what_it_knows_and_sees_types_and_versions_that_nobody_knows() {
    let (transport, names) = (Scripted::new(), Names::new());
    let handler = |event: RawEvent, State(names): State<Names>| async move {
        let text = match event.decode::<Shipped>() {
            Ok(shipped) => format!("{} {}", shipped.order, shipped.number),
            Err(_) => format!("{} {}", event.head().event_type, event.head().version),
        };
        names.add(text);
    };
    let spec = HandlerSpec::new("audit").topic("Order-events");
    let app = App::new("shop", transport.bus())
        .state(names.clone())
        .handlers(HandlerSet::new().handler(spec, handler));
    let app = app.spawn().await.unwrap();
    let mut unknown = message("e-1", &shipped("a", 3));
    let text = String::from_utf8(unknown.body.to_vec()).unwrap();
    unknown.body = text.replace("\"version\":1", "\"version\":9").into();
    transport.deliver([delivery(1, 0, message("e-0", &shipped("a", 3))), delivery(1, 1, unknown)]);
    until("both are settled", || transport.settled().len() == 2).await;
    assert_eq!(names.all(), ["a 3", "Shipped 9.0"]);
    assert!(transport.dead_letters().is_empty());
    app.shutdown().await.unwrap();
}
