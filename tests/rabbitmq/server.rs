//! The server, and connections to it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jitney::rabbitmq::lapin;
use jitney_core::Env;
use jitney_core::message::{Header, Message, Outbound, Topic};
use jitney_core::transport::{Interest, Published, Subscription, Transport};
use jitney_rabbitmq::RabbitMq;

/// The bound on every wait.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn url() -> String {
    jitney_test_servers::rabbitmq_url().unwrap_or_else(|error| panic!("{error}"))
}

/// Where the server listens.
pub(crate) fn address() -> SocketAddr {
    let url = url();
    url.rsplit('@').next().unwrap().trim_start_matches("amqp://").trim_end_matches('/').parse().unwrap()
}

/// The same URL by another address.
pub(crate) fn url_by(address: SocketAddr) -> String {
    url().replace(&self::address().to_string(), &address.to_string())
}

pub(crate) async fn connect(query: &str) -> RabbitMq {
    RabbitMq::from_url(&format!("{}/?{query}", url().trim_end_matches('/'))).await.unwrap()
}

/// A name that nobody else has.
pub(crate) fn name(kind: &str) -> String {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    format!("{kind}-{:08x}-{}", Env::system().random() >> 32, NUMBERS.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn message(topic: &str, key: &str, body: impl Into<String>) -> Outbound {
    let message = Message {
        topic: Topic::from(topic.to_owned()),
        key: Some(key.to_owned().into()),
        headers: vec![Header::new("event-type", "Tested")],
        time: Timestamp::from_second(7).unwrap(),
        body: body.into().into(),
    };
    Outbound { message, attributes: None }
}

pub(crate) fn subscription(group: &str, topic: &str) -> Subscription {
    Subscription::new(group, vec![Interest::all(topic)])
}

pub(crate) async fn publish(transport: &RabbitMq, message: Outbound) -> Published {
    within(transport.publish_one(message)).await
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    Env::system().timeout(PATIENCE, future).await.expect("done in time")
}

/// The server as another client sees it.
pub(crate) async fn raw_channel() -> (lapin::Connection, lapin::Channel) {
    let connection =
        lapin::Connection::connect(&url(), lapin::ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}
