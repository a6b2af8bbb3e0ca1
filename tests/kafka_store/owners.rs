//! Who writes to a partition, and what happens when that changes.

use std::time::Duration;

use jitney::kafka::rdkafka::producer::{BaseRecord, Producer};
use jitney::sourcing::{Append, ErrorKind, EventStore, Expected, Position, ReadStream};
use jitney_core::Env;

use super::store::{PATIENCE, Topics, add, append, ids, page, store_as_owner, stream, up};

#[tokio::test(flavor = "multi_thread")]
async fn one_process_writes_and_the_next_one_goes_on_where_it_has_ended() {
    let topics = Topics::new();
    let (first, second) = (topics.store().await, topics.store().await);
    add(&first, "a", "1").await;
    // The only partition stays where it is.
    let refused = second.append(append("a", &["2"])).await.unwrap_err();
    assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::NotOwner, true), "{refused:?}");
    assert!(refused.to_string().contains("Counter-events-0"), "{refused}");
    add(&first, "a", "2").await;
    drop(first);
    add(&second, "a", "3").await;
    let events = second.read_stream(&stream("a"), ReadStream::forward()).await.unwrap();
    assert_eq!(ids(&events), ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_writer_reads_everything_before_it_judges() {
    let topics = Topics::new();
    let first = topics.store().await;
    // Reading them takes longer than joining the group.
    for part in 0..4 {
        let events: Vec<_> = (0..5_000).map(|number| up(&format!("{part}-{number}"))).collect();
        store_as_owner(&first, Append::to(stream("a"), Expected::Any, events)).await.unwrap();
    }
    drop(first);
    let second = topics.store().await;
    let again = store_as_owner(&second, append("a", &["3-4999"])).await.unwrap_err();
    assert_eq!(again.duplicate().map(|known| known.sequence), Some(20_000), "{again:?}");
    let elsewhere = store_as_owner(&second, Append::to(stream("a"), Expected::New, [up("new")])).await;
    assert_eq!(elsewhere.unwrap_err().conflict().map(|conflict| conflict.actual), Some(20_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_was_shut_out_takes_its_partition_over_again() {
    let topics = Topics::new();
    let store = topics.store().await;
    for round in 0..3 {
        add(&store, "a", &format!("{round}")).await;
        // Another producer under the partition's own name, which leaves a transaction open.
        let (intruder, topic) = (topics.producer(true), topics.topic());
        let intruding = tokio::task::spawn_blocking(move || {
            intruder.init_transactions(PATIENCE).unwrap();
            intruder.begin_transaction().unwrap();
            intruder
                .send(BaseRecord::to(&topic).key("a").payload("never to be seen"))
                .map_err(|(error, _)| error)
                .unwrap();
            intruder.flush(PATIENCE).unwrap();
            // Killed, as it were: it neither commits nor aborts.
            std::mem::forget(intruder);
        });
        intruding.await.unwrap();
    }
    add(&store, "a", "3").await;
    let events = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap();
    assert_eq!(ids(&events), ["0", "1", "2", "3"]);
    let read = page(&store, &Position::START).await.unwrap();
    assert_eq!(ids(&read.events), ["0", "1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_was_given_up_is_stored_whole_or_not_at_all_and_can_be_made_again() {
    let topics = Topics::new();
    let store = topics.builder().answer_within(Duration::from_millis(1)).connect().await.unwrap();
    let env = Env::system();
    let patient = topics.store().await;
    // No group is joined within a millisecond, and no transaction stored.
    let kinds = async {
        loop {
            match store.append(append("a", &["1", "2"])).await {
                Ok(_) => return,
                Err(error) if error.kind() == ErrorKind::Duplicate => return,
                Err(error) => assert!(error.is_retryable(), "{error:?}"),
            }
            env.sleep(Duration::from_millis(5)).await;
        }
    };
    env.timeout(PATIENCE, kinds).await.expect("it is stored in the end");
    let events = patient.read_stream(&stream("a"), ReadStream::forward()).await.unwrap();
    assert_eq!(ids(&events), ["1", "2"]);
    drop(store);
    let again = store_as_owner(&patient, append("a", &["1", "2"])).await.unwrap_err();
    assert_eq!(again.duplicate().map(|known| known.sequence), Some(1));
}
