//! A connection that is lost is made again; nothing is lost with it, and nobody hangs.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jitney_core::ErrorKind;
use jitney_core::transport::{Published, Transport};
use jitney_rabbitmq::RabbitMq;
use jitney_testkit::proxy::Proxy;

use super::reader::{Reader, text};
use super::server::{address, connect, message, name, publish, subscription, url_by, within};

async fn through_a_proxy(query: &str) -> (Proxy, RabbitMq) {
    let proxy = Proxy::new("127.0.0.1:0".parse().unwrap(), address()).unwrap();
    let transport = RabbitMq::from_url(&format!("{}/?{query}", url_by(proxy.address()))).await.unwrap();
    (proxy, transport)
}

/// Publishes at once, some keys, while the connection is cut again and again: each event is acked, and each key is in its
/// order, repetitions aside.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_confirmed_is_sent_again_in_its_order() {
    let (proxy, publishing) = through_a_proxy("").await;
    let consuming = connect("").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut reader = Reader::join(&consuming, subscription(&group, &topic)).await;
    let (keys, rounds) = (8, 40);
    let publishes = async {
        for round in 0..rounds {
            let calls = (0..keys * 5).map(|number| {
                let (key, sequence) = (number % keys, round * 5 + number / keys);
                publishing.publish_one(message(&topic, &key.to_string(), sequence.to_string()))
            });
            let calls = join_all(calls);
            if round % 10 == 5 {
                proxy.cut();
                proxy.restore();
            }
            for outcome in within(calls).await {
                assert!(matches!(outcome, Published::Acked), "{outcome:?}");
            }
        }
    };
    let reads = async {
        let mut last = BTreeMap::new();
        let mut missing = keys * rounds * 5;
        while missing > 0 {
            for delivery in reader.take().await {
                let key = delivery.message.key.clone().unwrap();
                let sequence: usize = text(&delivery).parse().unwrap();
                let next = last.entry(key).or_insert(0);
                assert!(sequence <= *next, "{sequence} came before {next}");
                if sequence == *next {
                    *next += 1;
                    missing -= 1;
                }
                reader.ack(&delivery).await;
            }
        }
    };
    tokio::join!(publishes, reads);
}

#[tokio::test]
async fn a_member_resumes_under_another_epoch_and_tells_of_each_interruption_once() {
    let (proxy, transport) = through_a_proxy("").await;
    let other = connect("").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut reader = Reader::join(&transport, subscription(&group, &topic)).await;
    for interruption in 1..=3 {
        assert!(matches!(publish(&other, message(&topic, "a", "held")).await, Published::Acked));
        let held = reader.take().await.remove(0);
        proxy.cut();
        while reader.errors.len() < interruption {
            assert_eq!(reader.step().await.len(), 0);
        }
        assert_eq!(reader.lost.last(), Some(&held.epoch));
        proxy.restore();
        let again = reader.take().await.remove(0);
        assert!(again.epoch > held.epoch);
        assert!(again.attempt > 1);
        // Without effect: it is of the old connection.
        reader.ack(&held).await;
        reader.ack(&again).await;
        assert_eq!((reader.errors.len(), reader.lost.len()), (interruption, interruption));
    }
    assert!(reader.errors.iter().all(|error| error.is_retryable()), "{:?}", reader.errors);
}

/// Publishes until the server confirms it, for which it may need longer than `publish_timeout` at first.
async fn comes_through(transport: &RabbitMq, topic: &str, body: &str) {
    while let Err(error) = publish(transport, message(topic, "a", body)).await.into_result() {
        assert!(error.is_retryable(), "{error:?}");
    }
}

#[tokio::test]
async fn publishing_to_a_server_that_is_gone_ends_in_time() {
    let (proxy, transport) = through_a_proxy("publish_timeout=1s").await;
    let topic = name("topic");
    comes_through(&transport, &topic, "1").await;
    proxy.cut();
    let outcome = publish(&transport, message(&topic, "a", "2")).await;
    let error = outcome.into_result().unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    proxy.restore();
    comes_through(&transport, &topic, "3").await;
    proxy.stall();
    let Published::Unknown(error) = publish(&transport, message(&topic, "a", "4")).await else {
        panic!("what was sent and not confirmed is unknown");
    };
    assert!(error.to_string().contains("`publish_timeout`"), "{error}");
}

#[tokio::test]
async fn connecting_to_nobody_ends_in_time_and_says_why() {
    // A port that nobody is given by chance.
    let url = "amqp://me:s3cret@127.0.0.1:1/?connect_timeout=3s";
    let error = within(RabbitMq::from_url(url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    let text = jitney_core::error_chain(&error);
    assert!(text.contains("`connect_timeout`") && text.contains("refused"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once() {
    let url = format!("amqp://guest:s3cret@{}", address());
    let error = within(RabbitMq::from_url(&url)).await.unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    let text = jitney_core::error_chain(&error);
    assert!(text.contains("check user, password"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}
