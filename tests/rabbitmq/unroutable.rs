//! Events that no queue is bound to.

use jitney_core::transport::{Interest, Published, Subscription, Transport};

use super::reader::{Reader, text};
use super::server::{connect, message, name, publish, subscription, within};

#[tokio::test]
async fn a_bus_without_listeners_takes_events() {
    let transport = connect("").await;
    assert!(matches!(publish(&transport, message(&name("topic"), "a", "1")).await, Published::Acked));
}

/// Many at once, so that confirms and messages that come back are told of together, in whatever order.
#[tokio::test(flavor = "multi_thread")]
async fn each_event_that_nobody_listens_to_is_rejected_itself() {
    let transport = connect("unroutable=reject").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut interest = Interest::all(topic.as_str());
    interest.event_types = vec!["Tested".to_owned()];
    let mut reader = Reader::join(&transport, Subscription::new(group, vec![interest])).await;
    let batch: Vec<_> = (0..600)
        .map(|number| {
            let mut outbound = message(&topic, "a", number.to_string());
            if number % 3 == 1 {
                outbound.message.headers[0].value = "Other".into();
            }
            outbound
        })
        .collect();
    for (number, outcome) in within(transport.publish(batch)).await.into_iter().enumerate() {
        match outcome {
            Published::Acked => assert_ne!(number % 3, 1, "{number} was acked"),
            Published::Rejected(error) => {
                assert_eq!(number % 3, 1, "{number} was rejected: {error}");
                let text = error.to_string();
                assert!(
                    text.contains(&topic) && text.contains("`Other`") && text.contains("unroutable=accept"),
                    "{text}"
                );
            }
            Published::Unknown(error) => panic!("{number} is unknown: {error}"),
        }
    }
    let mut came = 0;
    while came < 400 {
        for delivery in reader.take().await {
            assert_ne!(text(&delivery).parse::<u32>().unwrap() % 3, 1);
            reader.ack(&delivery).await;
            came += 1;
        }
    }
}

#[tokio::test]
async fn a_group_that_comes_later_is_heard_of() {
    let transport = connect("unroutable=reject").await;
    let topic = name("topic");
    assert!(matches!(publish(&transport, message(&topic, "a", "1")).await, Published::Rejected(_)));
    let _reader = Reader::join(&transport, subscription(&name("group"), &topic)).await;
    assert!(matches!(publish(&transport, message(&topic, "a", "2")).await, Published::Acked));
}
