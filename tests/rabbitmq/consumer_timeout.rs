//! Deliveries that are held for too long are handed back before the server takes them, with the channel.

use jitney_core::transport::Transport;

use super::reader::{Reader, text};
use super::server::{connect, message, name, publish, subscription, within};

#[tokio::test]
async fn a_member_hands_back_what_it_holds_too_long_and_begins_anew() {
    // Long enough to ack the first one within it.
    let transport = connect("consumer_timeout=4s").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut reader = Reader::join(&transport, subscription(&group, &topic)).await;
    let both = ["done", "held"].map(|body| message(&topic, "a", body)).into();
    for outcome in within(transport.publish(both)).await {
        outcome.into_result().unwrap();
    }
    let mut first = reader.take().await;
    while first.len() < 2 {
        first.extend(reader.take().await);
    }
    reader.ack(&first[0]).await;
    while reader.revoking.is_empty() {
        assert_eq!(reader.step().await.len(), 0);
    }
    assert_eq!(reader.revoking, [first[1].epoch]);
    reader.subscribed.settler.release(first[1].epoch).await;
    let again = reader.take().await;
    assert_eq!(again.iter().map(text).collect::<Vec<_>>(), ["held"]);
    assert!(again[0].epoch > first[1].epoch);
    assert_eq!((reader.lost.as_slice(), reader.errors.len()), (&[first[1].epoch][..], 0));
    reader.ack(&again[0]).await;
    transport.close(super::server::PATIENCE).await.unwrap();
}

#[tokio::test]
async fn who_does_not_release_loses_it_all_the_same() {
    let transport = connect("consumer_timeout=1s").await;
    let (topic, group) = (name("topic"), name("group"));
    let mut reader = Reader::join(&transport, subscription(&group, &topic)).await;
    publish(&transport, message(&topic, "a", "held")).await.into_result().unwrap();
    let first = reader.take().await.remove(0);
    let again = reader.take().await.remove(0);
    assert_eq!(
        (reader.revoking.as_slice(), reader.lost.as_slice()),
        (&[first.epoch][..], &[first.epoch][..])
    );
    assert_eq!(text(&again), "held");
}
