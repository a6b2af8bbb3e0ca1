//! Groups in partitions: who reads which, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::admin::Admin;
use jitney_core::transport::{Settle, Transport};

use super::reader::{Reader, text};
use super::server::{connect, message, name, publish, subscription, within};

/// The member that joined first reads everything, until others stand by.
#[tokio::test]
async fn members_come_to_share_and_keep_the_order_of_keys() {
    let transport = connect("partitions=4").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut first = Reader::join(&transport, subscription(&group, &topic)).await;
    let mut second = Reader::join(&transport, subscription(&group, &topic)).await;
    let keys = 40;
    let mut last = BTreeMap::new();
    let (mut by_first, mut by_second) = (BTreeSet::new(), BTreeSet::new());
    for sequence in 0.. {
        let batch = (0..keys).map(|key| message(&topic, &key.to_string(), sequence.to_string())).collect();
        for outcome in within(transport.publish(batch)).await {
            outcome.into_result().unwrap();
        }
        let mut missing = keys;
        (by_first, by_second) = (BTreeSet::new(), BTreeSet::new());
        while missing > 0 {
            let (deliveries, is_first) = tokio::select! {
                deliveries = first.step() => (deliveries, true),
                deliveries = second.step() => (deliveries, false),
            };
            let (reader, partitions) =
                if is_first { (&mut first, &mut by_first) } else { (&mut second, &mut by_second) };
            for delivery in deliveries {
                partitions.insert(delivery.partition);
                let key = delivery.message.key.clone().unwrap();
                let next: &mut u64 = last.entry(key).or_default();
                let came: u64 = text(&delivery).parse().unwrap();
                assert!(came <= *next, "{came} came before {next}");
                if came == *next {
                    *next += 1;
                    missing -= 1;
                }
                reader.ack(&delivery).await;
            }
            for epoch in std::mem::take(&mut reader.revoking) {
                reader.subscribed.settler.release(epoch).await;
            }
        }
        if by_first.len() == 2 && by_second.len() == 2 {
            break;
        }
        assert!(sequence < 10_000, "read by {by_first:?} and {by_second:?}");
    }
    assert!(by_first.is_disjoint(&by_second), "{by_first:?} and {by_second:?}");
}

#[tokio::test]
async fn a_retry_goes_back_to_its_partition() {
    let transport = connect("partitions=4").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut wish = subscription(&group, &topic);
    wish.delayed_retry = true;
    let mut reader = Reader::join(&transport, wish).await;
    for key in ["a", "b", "c", "d", "e"] {
        publish(&transport, message(&topic, key, key)).await.into_result().unwrap();
    }
    let (mut partitions, mut again) = (BTreeMap::new(), 0);
    while again < 5 {
        for delivery in reader.take().await {
            let key = delivery.message.key.clone().unwrap();
            match partitions.insert(key, delivery.partition) {
                None => reader
                    .settle(&delivery, Settle::Retry { after: Duration::from_millis(50) })
                    .await
                    .unwrap(),
                Some(partition) => {
                    assert_eq!((delivery.partition, delivery.attempt), (partition, 2));
                    reader.ack(&delivery).await;
                    again += 1;
                }
            }
        }
    }
}

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let (topic, group, single) = (name("topic"), name("group"), name("single"));
    let four = connect("partitions=4").await;
    let _reader = Reader::join(&four, subscription(&group, &topic)).await;
    assert_eq!(within(four.lag(&group)).await.unwrap().len(), 4);
    let one = connect("").await;
    let _other = Reader::join(&one, subscription(&single, &topic)).await;
    for (query, group) in
        [("partitions=5", &group), ("", &group), ("order=none", &group), ("partitions=4", &single)]
    {
        let error = within(connect(query).await.subscribe(subscription(group, &topic))).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{query}: {error}");
        assert!(error.to_string().contains("`partitions`"), "{query}: {error}");
    }
}
