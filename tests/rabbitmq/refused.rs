//! What the server, or AMQP, does not take.

use jitney::rabbitmq::lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions};
use jitney_core::message::Header;
use jitney_core::transport::{Mode, Published, Transport};
use jitney_core::{Error, ErrorKind};

use super::reader::Reader;
use super::server::{connect, message, name, publish, raw_channel, subscription, within};

fn rejection(outcome: Published) -> Error {
    match outcome {
        Published::Rejected(error) => error,
        other => panic!("not a rejection: {other:?}"),
    }
}

#[tokio::test]
async fn a_queue_of_another_shape_is_named_with_what_to_do() {
    let (by_key, without) = (connect("").await, connect("order=none").await);
    let (topic, group) = (name("topic"), name("group"));
    let _reader = Reader::join(&by_key, subscription(&group, &topic)).await;
    let error = within(without.subscribe(subscription(&group, &topic))).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false));
    let text = error.to_string();
    for says in [group.as_str(), "x-single-active-consumer", "`order`"] {
        assert!(text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn an_exchange_of_another_kind_is_named_and_harms_no_other_topic() {
    let (_connection, channel) = raw_channel().await;
    let (foreign, topic) = (name("fanout"), name("topic"));
    let (kind, options) = (jitney::rabbitmq::lapin::ExchangeKind::Fanout, ExchangeDeclareOptions::default());
    channel.exchange_declare(foreign.as_str().into(), kind, options, Default::default()).await.unwrap();
    let transport = connect("").await;
    let batch = vec![message(&foreign, "a", "1"), message(&topic, "a", "1"), message(&foreign, "a", "2")];
    let mut outcomes = within(transport.publish(batch)).await;
    let (last, middle) = (outcomes.pop().unwrap(), outcomes.pop().unwrap());
    assert!(matches!(middle, Published::Acked), "{middle:?}");
    for outcome in [outcomes.pop().unwrap(), last] {
        let text = rejection(outcome).to_string();
        assert!(text.contains(&foreign) && text.contains("inequivalent arg 'type'"), "{text}");
    }
}

#[tokio::test]
async fn an_exchange_that_was_deleted_is_declared_again() {
    let transport = connect("").await;
    let topic = name("topic");
    publish(&transport, message(&topic, "a", "1")).await.into_result().unwrap();
    let (_connection, channel) = raw_channel().await;
    channel.exchange_delete(topic.as_str().into(), ExchangeDeleteOptions::default()).await.unwrap();
    let batch = (0..20).map(|number| message(&topic, "a", number.to_string())).collect();
    for outcome in within(transport.publish(batch)).await {
        assert!(matches!(outcome, Published::Acked), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_does_not_fit_into_amqp_is_rejected_and_harms_no_other() {
    let transport = connect("").await;
    let topic = name("topic");
    let mut long_name = message(&topic, "a", "1");
    long_name.message.headers.push(Header::new("x".repeat(300), "1"));
    let mut large_headers = message(&topic, "a", "2");
    large_headers.message.headers.push(Header::new("large", "x".repeat(120_000)));
    let batch =
        vec![long_name, message(&topic, "a", "3"), large_headers, message(&"x".repeat(256), "a", "4")];
    let mut outcomes = within(transport.publish(batch)).await.into_iter();
    let mut next = || outcomes.next().unwrap();
    let text = rejection(next()).to_string();
    assert!(text.contains("255 bytes that AMQP allows"), "{text}");
    assert!(matches!(next(), Published::Acked));
    let text = rejection(next()).to_string();
    assert!(text.contains("put large values into the body"), "{text}");
    let text = rejection(next()).to_string();
    assert!(text.contains("AMQP allows 255; use a shorter one"), "{text}");
}

#[tokio::test]
async fn what_a_queue_cannot_do_is_said_when_it_is_asked_for() {
    let transport = connect("").await;
    let topic = name("topic");
    let mut exactly_once = subscription(&name("group"), &topic);
    exactly_once.exactly_once = true;
    let mut delayed = subscription(&name("group"), &topic);
    (delayed.mode, delayed.delayed_retry) = (Mode::Broadcast, true);
    for (subscription, says) in [(exactly_once, "inbox and outbox"), (delayed, "retry in the lane")] {
        let error = within(transport.subscribe(subscription)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(says), "{error}");
    }
}
