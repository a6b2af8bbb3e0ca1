//! A registry that is away for a time: behind a proxy that lets nothing through.

use std::time::Duration;

use jitney::handler::{HandlerSet, HandlerSpec};
use jitney::memory::Memory;
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::registry::{ConfluentRegistry, ErrorKind, RegistryCodec, SchemaRegistry};
use jitney_testkit::proxy::Proxy;
use schemars::JsonSchema;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::scene::{PATIENCE, own, parts, registry, soon, until};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "RegistryOutage", id = order_id)]
struct Known {
    order_id: String,
    number: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "RegistryOutage", id = order_id)]
struct Unknown {
    order_id: String,
    number: u32,
}

/// A registry that is asked through the proxy, and given up when it has not answered for so long.
fn through(proxy: &Proxy, limit: Duration) -> ConfluentRegistry {
    let url = format!("http://{}{}", proxy.address(), parts().1);
    let retry = RetryPolicy::attempts(2).between(Duration::from_millis(10), Duration::from_millis(10));
    ConfluentRegistry::builder(&url).timeout(limit).retry(retry).build().unwrap()
}

fn proxy() -> Proxy {
    Proxy::new("127.0.0.1:0".parse().unwrap(), parts().0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_application_starts_without_its_registry() {
    let proxy = proxy();
    let start = |limit| RegistryCodec::builder(through(&proxy, limit)).json::<Known>().connect();
    for silence in [Proxy::cut, Proxy::stall] {
        silence(&proxy);
        let error = start(Duration::from_millis(200)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true), "{error}");
        proxy.restore();
        start(PATIENCE).await.unwrap();
    }
}

type Seen = UnboundedSender<(String, u32)>;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_goes_on_and_what_is_not_waits_and_nothing_is_lost() {
    let (proxy, key) = (proxy(), own("order"));
    let reading = RegistryCodec::builder(through(&proxy, PATIENCE)).json::<Known>().connect().await.unwrap();
    let writing =
        RegistryCodec::builder(registry()).json::<Known>().json::<Unknown>().connect().await.unwrap();
    // One bus that no other run has: what this one does not know, it is not to have read before.
    let memory = Memory::new();
    let bus = |codec| Bus::builder(memory.connect()).codec(codec).build();
    let (reading, writing) = (bus(reading), bus(writing));
    let known = |number, order: &str| Known { order_id: format!("{key}-{order}"), number };
    let (seen, mut arrived) = unbounded_channel::<(String, u32)>();
    let note = |seen: &Seen, order: &str, number| drop(seen.send((order.to_owned(), number)));
    let handlers = HandlerSet::new()
        .handler(
            HandlerSpec::new("known").group("outage"),
            move |event: Known, State(seen): State<Seen>| async move {
                note(&seen, &event.order_id, event.number);
            },
        )
        .handler(
            HandlerSpec::new("unknown").group("outage"),
            move |event: Unknown, State(seen): State<Seen>| async move {
                note(&seen, &event.order_id, event.number);
            },
        );
    let app = App::new("registry-tests", reading).group_prefix(&own("group")).state(seen).handlers(handlers);
    let app = app.spawn().await.unwrap();
    proxy.cut();
    let waiting = Unknown { order_id: format!("{key}-a"), number: 1 };
    writing.publish(&waiting).await.unwrap();
    writing.publish(&known(2, "a")).await.unwrap();
    app.bus().publish(&known(3, "b")).await.unwrap();
    let mut next = async || loop {
        let (order, number) = soon(arrived.recv()).await.unwrap();
        if order.starts_with(&key) {
            return number;
        }
    };
    assert_eq!(next().await, 3, "what is known is published and handled without the registry");
    proxy.restore();
    assert_eq!([next().await, next().await], [1, 2], "what waits comes in its order");
    let group = app.stats().keys().next().unwrap().clone();
    until("all are counted", async || app.stats()[&group].handled >= 3).await;
    assert_eq!(app.stats()[&group].dead_lettered, 0);
    app.shutdown().await.unwrap();
}

/// The one registry of tests is asked by many at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_again() {
    let proxy = proxy();
    let through = through(&proxy, PATIENCE);
    let (subject, none) = (own("none"), jitney::registry::SchemaVersion::Latest);
    assert_eq!(through.version(&subject, none).await.unwrap(), None);
    proxy.cut();
    proxy.restore();
    assert_eq!(through.version(&subject, none).await.unwrap(), None);
}
