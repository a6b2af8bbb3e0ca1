//! Events that are no longer kept in memory are read again, and are the same.

use jitney::sourcing::{
    Append, EventStore, Expected, Filter, Position, ReadStream, SnapshotStore, StoredSnapshot,
};
use jitney_core::Env;

use super::store::{Topics, add, append, ids, store_as_owner, stream, up};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_keeps_nothing_reads_the_same() {
    let topics = Topics::new();
    let (keeps, forgets) = (topics.store().await, topics.builder().cache_bytes(0).connect().await.unwrap());
    for number in 0..6 {
        for name in ["a", "b"] {
            let events: Vec<_> = (0..100).map(|event| up(&format!("{name}-{number}-{event}"))).collect();
            store_as_owner(&keeps, Append::to(stream(name), Expected::Any, events)).await.unwrap();
        }
    }
    add(&keeps, "c", "last").await;
    for read in [
        ReadStream::forward(),
        ReadStream::backward(),
        ReadStream::forward().from(95).limit(10),
        ReadStream::backward().from(301).limit(150),
        ReadStream::forward().from(601),
        ReadStream::forward().limit(0),
    ] {
        for name in ["a", "b", "c", "none"] {
            let kept = keeps.read_stream(&stream(name), read).await.unwrap();
            let read_again = forgets.read_stream(&stream(name), read).await.unwrap();
            assert_eq!(kept, read_again, "{name} {read:?}");
        }
    }
    assert_eq!(forgets.read_stream(&stream("a"), ReadStream::forward()).await.unwrap().len(), 600);
    let found = forgets.find_event(&stream("b"), &"b-2-50".into()).await.unwrap().unwrap();
    assert_eq!(found.sequence(), 251);
    for limit in [1_000, 77] {
        let all = async |store: &jitney::kafka::KafkaStore| {
            let (mut events, mut position) = (Vec::new(), Position::START);
            loop {
                let page = store.read_all(&position, &Filter::all(), limit).await.unwrap();
                assert!(page.events.len() <= limit);
                events.extend(page.events);
                position = page.position;
                if page.at_end {
                    return events;
                }
            }
        };
        let (kept, again) = (all(&keeps).await, all(&forgets).await);
        assert_eq!(kept.len(), 1_201);
        assert_eq!(kept, again, "in pages of {limit}");
    }
    keeps.archive(&stream("a")).await.unwrap();
    let open = Filter::all().without_archived();
    let page = forgets.read_all(&Position::START, &open, 10_000).await.unwrap();
    assert_eq!((page.events.len(), page.at_end), (601, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_not_kept_is_read_again() {
    let topics = Topics::new();
    let store = topics.builder().cache_bytes(0).connect().await.unwrap();
    store_as_owner(&store, append("a", &["1"])).await.unwrap();
    let snapshots: &dyn SnapshotStore = store.snapshots().unwrap();
    let snapshot = |state: &'static str| {
        StoredSnapshot::new(1, "1".into(), uuid::Uuid::NAMESPACE_OID, Env::system().now(), state)
    };
    for state in ["{}", "{\"total\":1}"] {
        snapshots.save_snapshot(&stream("a"), snapshot(state)).await.unwrap();
        snapshots.save_snapshot(&stream("b"), snapshot("[]")).await.unwrap();
        let found = snapshots.load_snapshot(&stream("a")).await.unwrap().unwrap();
        assert_eq!((&found.state[..], found.is_intact()), (state.as_bytes(), true));
    }
    snapshots.delete_snapshot(&stream("a")).await.unwrap();
    assert_eq!(snapshots.load_snapshot(&stream("a")).await.unwrap(), None);
    let page = store.read_all(&Position::START, &Filter::all(), 10).await.unwrap();
    assert_eq!(ids(&page.events), ["1"], "snapshots are no events");
}
