//! What goes wrong at the first try is an error that says where and what to change, within a bounded time; no password is
//! in it.

use std::time::Duration;

use jitney::message::{Header, Message, Outbound};
use jitney::prelude::*;
use jitney::{Env, Error, ErrorKind, error_chain};
use jitney_test_servers::{Kafka, PASSWORD, USER};

use super::broker::{Broker, fresh, plain_url, url};
use super::service::app_on;

/// The server with its processes, which also has listeners for logins and TLS; nothing where it is given.
fn secured() -> Option<jitney_test_servers::Cluster> {
    match Kafka::single() {
        Ok(server) => Some(server),
        Err(error) if error.is_given() => {
            println!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The result of `work`, which has to be there within a bounded time.
async fn bounded<T>(work: impl Future<Output = T>) -> T {
    Env::system().timeout(Duration::from_secs(60), work).await.expect("it has an end within a minute")
}

/// What connecting to `url` fails with: all of it on one line.
async fn refused(what: &str, url: &str) -> String {
    let error = bounded(Bus::connect(url)).await.expect_err(url);
    told(what, &error)
}

fn told(what: &str, error: &Error) -> String {
    let (text, debug) = (error_chain(error), format!("{error:?}"));
    println!("{what}:\n    {text}");
    assert!(!text.contains(PASSWORD) && !debug.contains(PASSWORD), "{text}");
    assert!(!text.contains("wr0ng") && !debug.contains("wr0ng"), "{text}");
    text
}

fn says(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

fn message(topic: &str) -> Outbound {
    let message = Message {
        topic: topic.to_owned().into(),
        key: Some("a".into()),
        headers: vec![Header::new("event-type", "Noted")],
        time: jiff::Timestamp::UNIX_EPOCH,
        body: "{}".into(),
    };
    Outbound { message, attributes: None }
}

async fn publish(bus: &Bus, topic: &str) -> Result<(), Error> {
    bounded(bus.transport().publish_one(message(topic))).await.into_result()
}

#[tokio::test]
async fn brokers_that_do_not_answer() {
    let refusing = refused("nobody listens", "kafka://127.0.0.1:1/?connect_timeout=4s").await;
    says(&refusing, &["kafka://127.0.0.1:1", "Connection refused", "check host and port"]);
    let unknown = refused("unknown host", "kafka://no-such-host.invalid:9092/?connect_timeout=6s").await;
    says(&unknown, &["no-such-host.invalid:9092", "resolve", "check the host"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let mute = refused("silent port", &format!("kafka://{address}/?connect_timeout=2s")).await;
    says(&mute, &[&address.to_string(), "connect_timeout", "check host and port"]);
}

#[tokio::test]
async fn credentials() {
    let Some(server) = secured() else { return };
    let address = server.sasl_address().unwrap();
    let right = format!("kafka://{USER}:{PASSWORD}@{address}/?connect_timeout=30s");
    let bus = bounded(Bus::connect(&right)).await.unwrap();
    let topic = Broker::connect().topic("credentials").await;
    publish(&bus, &topic).await.unwrap();
    assert!(!format!("{bus:?}").contains(PASSWORD));
    for user in [format!("{USER}:wr0ng"), format!("nobody:{PASSWORD}")] {
        let text =
            refused("wrong credentials", &format!("kafka://{user}@{address}/?connect_timeout=30s")).await;
        says(&text, &[&address.to_string(), "uthentication", "check user, password and `sasl`"]);
    }
    let empty = refused("no password", &format!("kafka://{USER}@{address}/?connect_timeout=3s")).await;
    says(&empty, &[&address.to_string(), "no password", "kafka://user:password@host:port"]);
    let none = refused("no credentials", &format!("kafka://{address}/?connect_timeout=3s")).await;
    says(&none, &[&address.to_string(), "`sasl`", "user"]);
    let plain = server.addresses()[0];
    let needless = format!("kafka://{USER}:{PASSWORD}@{plain}/?connect_timeout=3s");
    let text = refused("credentials that nobody asks for", &needless).await;
    says(&text, &[&plain.to_string(), "`sasl`"]);
}

#[cfg(feature = "kafka-tls")]
#[tokio::test]
async fn scram_credentials() {
    let Some(server) = secured() else { return };
    let address = server.sasl_address().unwrap();
    for mechanism in ["scram-sha-256", "scram-sha-512"] {
        let url = |password: &str| {
            format!("kafka://{USER}:{password}@{address}/?sasl={mechanism}&connect_timeout=30s")
        };
        drop(bounded(Bus::connect(&url(PASSWORD))).await.unwrap());
        let text = refused("wrong scram password", &url("wr0ng")).await;
        says(&text, &[&address.to_string(), "uthentication", "check user, password and `sasl`"]);
    }
}

#[cfg(feature = "kafka-tls")]
#[tokio::test]
async fn certificates() {
    let Some(server) = secured() else { return };
    let (address, authority) = (server.tls_address().unwrap(), server.tls_authority());
    let right = format!("kafka://{address}/?ca_file={}&connect_timeout=30s", authority.display());
    let bus = bounded(Bus::connect(&right)).await.unwrap();
    let topic = Broker::connect().topic("certificates").await;
    publish(&bus, &topic).await.unwrap();
    let unknown =
        refused("unknown authority", &format!("kafka://{address}/?tls=true&connect_timeout=6s")).await;
    says(&unknown, &[&address.to_string(), "certificate", "`ca_file`"]);
    let no_file = "kafka://a:1/?ca_file=/nowhere/ca.pem&connect_timeout=3s";
    says(&refused("no such file", no_file).await, &["/nowhere/ca.pem", "ca_file", "No such file"]);
    let plain = server.addresses()[0];
    let to_plain =
        refused("tls to a plain port", &format!("kafka://{plain}/?tls=true&connect_timeout=3s")).await;
    says(&to_plain, &[&plain.to_string(), "speak TLS"]);
}

#[cfg(not(feature = "kafka-tls"))]
#[tokio::test]
async fn what_is_not_compiled_in_is_said_before_anything_is_tried() {
    for url in ["kafka://127.0.0.1:1/?tls=true", "kafka://u:wr0ng@127.0.0.1:1/?sasl=scram-sha-256"] {
        says(&refused("not compiled in", url).await, &["not compiled in", "`kafka-tls`"]);
    }
}

#[tokio::test]
async fn no_tls_to_a_port_that_wants_it() {
    let Some(server) = secured() else { return };
    let address = server.tls_address().unwrap();
    let text = refused("plaintext to a tls port", &format!("kafka://{address}/?connect_timeout=3s")).await;
    says(&text, &[&address.to_string(), "`tls=true`"]);
}

#[tokio::test]
async fn a_topic_that_does_not_exist() {
    let bus = Bus::connect(&url()).await.unwrap();
    let topic = fresh("nowhere");
    let error = publish(&bus, &topic).await.unwrap_err();
    let text = told("publishing to no topic", &error);
    assert_eq!(error.kind(), ErrorKind::Rejected);
    says(&text, &[&topic, &plain_url(), "does not exist", "create_topics=true"]);
    let (_, app) = app_on(bus, |it| it.topic(&topic), |_: RawEvent| async {});
    let error = bounded(app.spawn()).await.unwrap_err();
    says(&told("starting without topic", &error), &[&topic, "svc-", "does not exist", "create_topics=true"]);
}

#[tokio::test]
async fn a_topic_whose_name_no_broker_takes() {
    let bus = Bus::connect(&format!("{}&create_topics=true", url())).await.unwrap();
    let error = publish(&bus, "white space").await.unwrap_err();
    says(&told("bad name of a topic", &error), &["white space", "`_` and `-`"]);
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn missing_topics_are_made_where_that_is_asked_for() {
    let (broker, topic) = (Broker::connect(), fresh("made"));
    let url = format!("{}&create_topics=true&partitions=3&retention=1h", url());
    let bus = Bus::connect(&url).await.unwrap();
    publish(&bus, &topic).await.unwrap();
    assert_eq!(broker.partitions(&topic).len(), 3);
    assert_eq!(broker.setting(&topic, "retention.ms").await.as_deref(), Some("3600000"));
    let read = fresh("made");
    let (_, app) = app_on(bus, |it| it.topic(&read), |_: RawEvent| async {});
    let app = app.spawn().await.unwrap();
    assert_eq!(broker.partitions(&read).len(), 3);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn more_replicas_than_brokers() {
    let bus = Bus::connect(&format!("{}&create_topics=true&replication=7", url())).await.unwrap();
    let topic = fresh("replicas");
    let error = publish(&bus, &topic).await.unwrap_err();
    says(&told("more replicas than brokers", &error), &[&topic, "replication factor", "`replication`"]);
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_message_that_the_topic_does_not_take() {
    let (broker, topic) = (Broker::connect(), fresh("small"));
    broker.make(&topic, 1, &[("max.message.bytes", "1000")]).await;
    let bus = Bus::connect(&url()).await.unwrap();
    let mut large = message(&topic);
    large.message.body = vec![b' '; 10_000].into();
    let error = bus.transport().publish_one(large).await.into_result().unwrap_err();
    says(&told("too large for the topic", &error), &[&topic, "max.message.bytes"]);
    assert!(!error.is_retryable() && error.kind() == ErrorKind::Rejected);
}
