//! Appends and reads, as far as they are this store's own affair.

use jitney::sourcing::{
    Append, ErrorKind, EventStore, Expected, Filter, ListStreams, NewEvent, Position, ReadStream,
    StoredSnapshot, StreamState,
};
use jitney::sql::sqlx::{query, raw_sql};

use super::server::{Counted, add, append, ids, read_to_end, store, stream, until, up};

#[tokio::test]
async fn several_streams_are_stored_together_or_not_at_all() {
    let store = store().await;
    add(&store, "b", "b-1").await;
    let both = |expected| {
        let first = Append::to(stream("b"), expected, [up("b-2", 1), up("b-3", 1)]);
        first.and_to(stream("a"), Expected::New, [up("a-1", 1)])
    };
    let error = store.append(both(Expected::New)).await.unwrap_err();
    let conflict = error.conflict().unwrap();
    assert_eq!((conflict.stream.aggregate_id(), conflict.expected, conflict.actual), ("b", Expected::New, 1));
    assert_eq!(store.stream_info(&stream("a")).await.unwrap(), None);

    let appended = store.append(both(Expected::Exact(1))).await.unwrap();
    let sequences: Vec<_> =
        appended.streams.iter().map(|part| (part.first_sequence, part.last_sequence)).collect();
    assert_eq!(sequences, [(2, 3), (1, 1)]);
    assert_eq!(store.end().await.unwrap(), appended.position);
}

#[tokio::test]
async fn an_event_that_is_there_counts_before_a_conflict_and_before_the_end_of_its_stream() {
    let store = store().await;
    store.append(append("a", Expected::New, &["1", "2"])).await.unwrap();
    let again = |expected| store.append(append("a", expected, &["2", "1"]));
    for expected in [Expected::New, Expected::Any, Expected::Exact(2)] {
        let error = again(expected).await.unwrap_err();
        assert_eq!(error.duplicate().map(|known| known.sequence), Some(2), "{expected:?}: {error:?}");
    }
    store.end_stream(&stream("a"), Expected::Exact(2)).await.unwrap();
    assert_eq!(again(Expected::New).await.unwrap_err().kind(), ErrorKind::Duplicate);
    let ended = store.append(append("a", Expected::New, &["3"])).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Ended);
}

#[tokio::test]
async fn archived_streams_are_listed_and_their_events_are_passed_over() {
    let store = store().await;
    for id in ["a", "B", "c"] {
        add(&store, id, id).await;
    }
    store.archive(&stream("a")).await.unwrap();
    store.archive(&stream("a")).await.unwrap();
    let refused = store.append(append("a", Expected::Any, &["2"])).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Archived);
    let read =
        async |filter: Filter| ids(&store.read_all(&Position::START, &filter, 10).await.unwrap().events);
    until(async || read(Filter::all()).await == ["a", "B", "c"]).await;
    assert_eq!(read(Filter::all().without_archived()).await, ["B", "c"]);
    let list = async |list: ListStreams| {
        let streams = store.list_streams(&list).await.unwrap();
        streams.iter().map(|info| info.stream.aggregate_id().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(ListStreams::of("Counter")).await, ["B", "a", "c"], "in the order of their bytes");
    assert_eq!(list(ListStreams::of("Counter").after("B").limit(1)).await, ["a"]);
    assert_eq!(list(ListStreams::of("Counter").in_state(StreamState::Archived)).await, ["a"]);
    store.restore(&stream("a")).await.unwrap();
    assert_eq!(read(Filter::all()).await, ["a", "B", "c"]);
    let missing = store.archive(&stream("none")).await.unwrap_err();
    assert_eq!(missing.conflict().map(|conflict| conflict.actual), Some(0));
}

#[tokio::test]
async fn filters_are_applied_by_the_database_and_the_position_moves_on() {
    let store = store().await;
    add(&store, "a", "1").await;
    let down = NewEvent::new("2".into(), jiff::Timestamp::UNIX_EPOCH, &Counted::Down { by: 1 }).unwrap();
    store.append(Append::to(stream("a"), Expected::Any, [down])).await.unwrap();
    add(&store, "a", "3").await;
    let end = store.end().await.unwrap();
    read_to_end(&store).await;
    let filter = Filter::all().event_types(["Down"]).aggregate_types(["Counter", "Other"]);
    let page = store.read_all(&Position::START, &filter, 10).await.unwrap();
    assert_eq!((ids(&page.events), &page.position, page.at_end), (vec!["2".to_owned()], &end, true));
    let none = Filter::all().aggregate_types(["Other"]);
    let page = store.read_all(&Position::START, &none, 10).await.unwrap();
    assert_eq!((page.events.len(), page.position, page.at_end), (0, end, true));
}

#[tokio::test]
async fn payload_and_metadata_come_back_letter_by_letter() {
    let store = store().await;
    let mut event = up("odd", 1);
    event.payload = r#"{ "b": 1.0e2,  "a": "\u0000 ü 'quoted'", "b": 2 }"#.into();
    event.metadata.pairs.insert("tenant".to_owned(), "Zürich \"1\"".to_owned());
    event.metadata.correlation_id = Some("c".into());
    store.append(Append::to(stream("a"), Expected::New, [event.clone()])).await.unwrap();
    let found = store.find_event(&stream("a"), &"odd".into()).await.unwrap().unwrap();
    assert_eq!(found.payload_json(), &event.payload);
    assert_eq!(found.head().metadata, event.metadata);
    assert_eq!(found.head().time, event.time);
    assert_eq!(store.read_stream(&stream("a"), ReadStream::backward()).await.unwrap(), [found]);
    assert_eq!(store.find_event(&stream("a"), &"other".into()).await.unwrap(), None);
}

#[tokio::test]
async fn what_the_database_cannot_keep_is_refused_as_invalid() {
    let store = store().await;
    let long = "x".repeat(100_000);
    let mut rng = fastrand::Rng::with_seed(1);
    // Long, and not to be compressed into what an index holds.
    let long: String = long.chars().map(|_| rng.alphanumeric()).collect();
    let mut no_json = up("1", 1);
    no_json.payload = "{".into();
    let nul = up("a\0b", 1);
    for event in [no_json, nul, up(&long, 1)] {
        let error = store.append(Append::to(stream("a"), Expected::Any, [event])).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Invalid, false), "{error:?}");
    }
}

#[tokio::test]
async fn a_damaged_row_is_an_error_that_names_the_event() {
    let store = store().await;
    store.append(append("a", Expected::New, &["1", "2"])).await.unwrap();
    let damage = "UPDATE jitney.events SET metadata = '{\"userId\": 7}' WHERE sequence = 2";
    raw_sql(damage).execute(store.pool()).await.unwrap();
    let error = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("event 2 of stream Counter/a"), "{error}");
}

#[tokio::test]
async fn a_snapshot_is_kept_and_a_damaged_one_shows() {
    let store = store().await;
    let snapshots = store.snapshots().unwrap();
    let time = jiff::Timestamp::from_millisecond(7).unwrap();
    let make = |sequence| {
        StoredSnapshot::new(sequence, "1".into(), uuid::Uuid::NAMESPACE_OID, time, "{\"total\":3}")
    };
    for sequence in [1, 2] {
        snapshots.save_snapshot(&stream("a"), make(sequence)).await.unwrap();
    }
    assert_eq!(snapshots.load_snapshot(&stream("a")).await.unwrap(), Some(make(2)));
    query("UPDATE jitney.snapshots SET state = $1").bind(&b"{}"[..]).execute(store.pool()).await.unwrap();
    let damaged = snapshots.load_snapshot(&stream("a")).await.unwrap().unwrap();
    assert!(make(2).is_intact() && !damaged.is_intact());
    snapshots.delete_snapshot(&stream("a")).await.unwrap();
    assert_eq!(snapshots.load_snapshot(&stream("a")).await.unwrap(), None);
}
