//! What other clients publish, take away or look at.

use std::time::Duration;

use jitney::rabbitmq::lapin::BasicProperties;
use jitney::rabbitmq::lapin::options::{
    BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use jitney::rabbitmq::lapin::types::{AMQPValue, FieldTable};
use jitney_core::admin::Admin;
use jitney_core::dead_letter::{DeadLetter, Failure, Reason};
use jitney_core::transport::Settle;
use jitney_core::{Env, ErrorKind};

use super::reader::{Reader, text};
use super::server::{connect, message, name, publish, raw_channel, subscription, within};

#[tokio::test]
async fn a_message_of_another_client_is_read_by_its_properties() {
    let transport = connect("").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut reader = Reader::join(&transport, subscription(&group, &topic)).await;
    let (_connection, channel) = raw_channel().await;
    let mut headers = FieldTable::default();
    headers.insert("tenant".into(), AMQPValue::LongInt(7));
    let properties = BasicProperties::default()
        .with_type("OrderCreated".into())
        .with_correlation_id("c-1".into())
        .with_timestamp(1_700_000_000)
        .with_headers(headers);
    let (exchange, options) = (topic.as_str().into(), BasicPublishOptions::default());
    channel.basic_publish(exchange, "Order.OrderCreated".into(), options, b"{}", properties).await.unwrap();
    let delivery = reader.take().await.remove(0);
    let read = &delivery.message;
    assert_eq!((&*read.topic, text(&delivery), &read.key), (topic.as_str(), "{}", &None));
    assert_eq!(read.time.as_second(), 1_700_000_000);
    assert_eq!(read.header_str("event-type"), Some("OrderCreated"));
    assert_eq!(read.header_str("correlation-id"), Some("c-1"));
    assert_eq!(read.header_str("tenant"), Some("7"));
    reader.ack(&delivery).await;
}

#[tokio::test]
async fn another_client_finds_what_it_expects() {
    let transport = connect("").await;
    let topic = name("topic");
    publish(&transport, message(&topic, "a", "unheard")).await.into_result().unwrap();
    let (_connection, channel) = raw_channel().await;
    let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), own, FieldTable::default()).await.unwrap().name().clone();
    let (exchange, key) = (topic.as_str().into(), "*.Tested".into());
    let bound =
        channel.queue_bind(queue.clone(), exchange, key, QueueBindOptions::default(), FieldTable::default());
    bound.await.unwrap();
    publish(&transport, message(&topic, "a", "{}")).await.into_result().unwrap();
    let got = within(async {
        loop {
            let got = channel.basic_get(queue.clone(), BasicGetOptions { no_ack: true }).await.unwrap();
            if let Some(got) = got {
                return got.delivery;
            }
        }
    });
    let got = got.await;
    assert_eq!(got.data, b"{}");
    assert_eq!((got.exchange.as_str(), got.routing_key.as_str()), (topic.as_str(), ".Tested"));
    let properties = &got.properties;
    assert_eq!(properties.kind().as_ref().map(|kind| kind.as_str()), Some("Tested"));
    assert_eq!((*properties.timestamp(), *properties.delivery_mode()), (Some(7), Some(2)));
    let headers = properties.headers().as_ref().unwrap().inner();
    assert_eq!(headers.get("event-type"), Some(&AMQPValue::LongString("Tested".into())));
}

fn letter(delivery: &jitney_core::transport::Delivery, group: &str) -> Settle {
    let failure = Failure::new(Reason::Permanent, group, Env::system().now(), "no");
    Settle::DeadLetter(Box::new(DeadLetter { delivery: delivery.clone(), failure }))
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_stored_is_not_acked() {
    let transport = connect("").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut reader = Reader::join(&transport, subscription(&group, &topic)).await;
    publish(&transport, message(&topic, "a", "bad")).await.into_result().unwrap();
    let delivery = reader.take().await.remove(0);
    let (_connection, channel) = raw_channel().await;
    let letters = format!("{group}.dead-letters");
    channel.queue_delete(letters.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    let mut failed = reader.settle(&delivery, letter(&delivery, &group)).await.unwrap_err().failed;
    let (_, error) = failed.remove(0);
    assert_eq!(error.kind(), ErrorKind::Settle);
    assert!(error.is_retryable() && error.to_string().contains(&letters), "{error}");
    // It is still this member's: what comes next is another.
    reader.settle(&delivery, Settle::Retry { after: Duration::ZERO }).await.unwrap();
    let again = reader.take().await.remove(0);
    assert_eq!((text(&again), again.attempt), ("bad", 2));
    reader.ack(&again).await;
}

#[tokio::test]
async fn dead_letters_are_read_again_and_again_in_their_order() {
    let transport = connect("").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut reader = Reader::join(&transport, subscription(&group, &topic)).await;
    for number in 0..5 {
        publish(&transport, message(&topic, "a", number.to_string())).await.into_result().unwrap();
    }
    let mut done = 0;
    while done < 5 {
        for delivery in reader.take().await {
            reader.settle(&delivery, letter(&delivery, &group)).await.unwrap();
            done += 1;
        }
    }
    for limit in [5, 3, 10] {
        let letters = within(transport.dead_letters(&group, limit)).await.unwrap();
        let bodies: Vec<_> = letters.iter().map(|letter| letter.body[0] - b'0').collect();
        let wanted: Vec<_> = (0..5).take(limit).collect();
        assert_eq!(bodies, wanted);
    }
    assert_eq!(within(transport.dead_letters(&name("nobody"), 5)).await.unwrap(), []);
    assert_eq!(within(transport.lag(&name("nobody"))).await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_retry_comes_counted_and_whole() {
    let transport = connect("").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut wish = subscription(&group, &topic);
    wish.delayed_retry = true;
    let mut reader = Reader::join(&transport, wish).await;
    let sent = message(&topic, "a", "again");
    publish(&transport, sent.clone()).await.into_result().unwrap();
    for attempt in 1..=3 {
        let delivery = reader.take().await.remove(0);
        assert_eq!(delivery.attempt, attempt);
        assert_eq!(*delivery.message, sent.message);
        reader.settle(&delivery, Settle::Retry { after: Duration::from_millis(50) }).await.unwrap();
    }
    let last = reader.take().await.remove(0);
    reader.ack(&last).await;
    assert_eq!(within(transport.lag(&group)).await.unwrap()[0].events, 0);
}
