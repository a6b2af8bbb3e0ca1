//! Inline projections on every database: what is stored is in the read model, and nothing else is.

use std::process::{Command, Stdio};
use std::time::Duration;

use jitney::Env;
use jitney::sourcing::projection::{BuildState, ReadModelTransaction, ShardLease, Step};
use jitney::sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, ListStreams, NewEvent, ReadModel, ReadStream,
    StreamId,
};

use crate::setting::{Conduct, Database, PANIC, PATIENCE, POISON, Payer, PurseEvent, Row, Rows, until};

/// The variable that tells a writer that is to be killed which database.
pub(crate) const PLACE: &str = "JITNEY_TEST_INLINE";

/// A database whose store can keep projections up.
pub(crate) trait InlineDatabase: Database {
    type Store: EventStore + Clone;

    /// The store, with an outbox, and with `purses` inline in a version, as another process opens it.
    async fn open(&self, inline: Option<(u32, &Conduct)>) -> Result<Self::Store, Error>;

    /// How many events wait in the outbox.
    async fn outbox(&self, store: &Self::Store) -> u64;

    async fn inline(&self, version: u32, conduct: &Conduct) -> Self::Store {
        self.open(Some((version, conduct))).await.unwrap()
    }

    async fn plain(&self) -> Self::Store {
        self.open(None).await.unwrap()
    }
}

/// One that has transactions, and outlives its processes.
pub(crate) trait DurableInlineDatabase: InlineDatabase {
    /// What names the database in another process.
    fn place(&self) -> String;

    /// The store at `place`, as [`InlineDatabase::open`] has it.
    async fn open_at(place: &str, inline: Option<(u32, &Conduct)>) -> Result<Self::Store, Error>;

    /// Appends in a transaction of the caller's, which is committed or not.
    async fn append_in(
        store: &Self::Store,
        appends: Vec<Append>,
        commit: bool,
    ) -> Vec<Result<Appended, Error>>;
}

fn filled(cents: &[u64]) -> Vec<NewEvent> {
    let env = Env::system();
    let event =
        |cents: &u64| NewEvent::new(env.new_id(), env.now(), &PurseEvent::Filled { cents: *cents }).unwrap();
    cents.iter().map(event).collect()
}

fn purse(id: &str) -> StreamId {
    StreamId::new("Purse", id)
}

fn fill(id: &str, cents: &[u64]) -> Append {
    Append::to(purse(id), Expected::Any, filled(cents))
}

/// What is to be in the read model after what the store has. By its streams: readers of all events wait for whoever writes
/// on the server.
async fn stored(store: &dyn EventStore) -> Rows {
    let mut rows = Rows::new();
    for info in store.list_streams(&ListStreams::of("Purse")).await.unwrap() {
        let mut row = Row::default();
        for event in store.read_stream(&info.stream, ReadStream::forward()).await.unwrap() {
            let PurseEvent::Filled { cents } = event.decode().unwrap();
            (row.cents, row.sequence) = (row.cents + cents, row.sequence + 1);
        }
        rows.insert(info.stream.aggregate_id().to_owned(), row);
    }
    rows
}

pub(crate) async fn what_is_appended_inline_is_read_at_once(database: &impl InlineDatabase) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let store = database.inline(1, &conduct).await;
    payer.pay(&store, "a", &[1]).await;
    assert_eq!(database.rows().await, payer.rows(1));
    let position = payer.pay(&store, "b", &[2, 3, 4]).await;
    assert_eq!(database.rows().await, payer.rows(1), "several events");
    database.handle().await.wait_for(&position, PATIENCE).await.expect("it is never behind");
    store.append(fill("c", &[5, 6]).and_to(purse("d"), Expected::New, filled(&[7]))).await.unwrap();
    assert_eq!(database.rows().await, stored(&store).await, "several streams");
    let mut read = Vec::new();
    for purse in ["a", "b", "c", "d"].map(purse) {
        let events = store.read_stream(&purse, ReadStream::forward()).await.unwrap();
        read.extend(events.iter().map(|event| (event.sequence(), event.position().clone())));
    }
    let mut told = conduct.told_where();
    for places in [&mut read, &mut told] {
        places.sort_by_key(|(_, position)| position.to_string());
    }
    assert_eq!(told, read, "events are where they are read later");
}

pub(crate) async fn what_is_appended_inline_in_a_transaction_goes_with_it<D: DurableInlineDatabase>(
    database: &D,
) {
    let conduct = Conduct::default();
    let store = database.inline(1, &conduct).await;
    for appended in D::append_in(&store, vec![fill("a", &[1]), fill("b", &[2, 3])], false).await {
        appended.unwrap();
    }
    assert_eq!(database.rows().await, Rows::new(), "it was rolled back");
    let appended =
        D::append_in(&store, vec![fill("a", &[1, 2]), fill("a", &[POISON]), fill("b", &[3])], true);
    let [first, refused, last] = &appended.await[..] else { panic!("three appends") };
    assert!(first.is_ok() && last.is_ok(), "{first:?} {last:?}");
    assert_eq!(refused.as_ref().unwrap_err().kind(), ErrorKind::Projection);
    let purses = [("a", Row { cents: 3, sequence: 2 }), ("b", Row { cents: 3, sequence: 1 })];
    assert_eq!(database.rows().await, purses.map(|(id, row)| (id.to_owned(), row)).into());
    assert_eq!(stored(&store).await, database.rows().await);
}

pub(crate) async fn a_transaction_without_what_is_inline_appends_nothing<D: DurableInlineDatabase>(
    database: &D,
) {
    let plain = database.plain().await;
    database.inline(1, &Conduct::default()).await;
    let [error] = &D::append_in(&plain, vec![fill("b", &[1])], true).await[..] else { panic!("one") };
    assert_eq!(error.as_ref().unwrap_err().kind(), ErrorKind::Config);
    assert!(plain.read_stream(&purse("b"), ReadStream::forward()).await.unwrap().is_empty());
}

pub(crate) async fn what_an_inline_projection_refuses_is_not_stored<D: InlineDatabase>(database: &D) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let store = database.inline(1, &conduct).await;
    payer.pay(&store, "a", &[1, 2]).await;
    let refused = async |append: Append| {
        let error = store.append(append).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Projection, "{error:?}");
        assert_eq!(database.rows().await, payer.rows(1));
        assert_eq!(stored(&store).await, payer.rows(1));
        assert_eq!(database.outbox(&store).await, 2);
        error
    };
    let error = refused(fill("b", &[1]).and_to(purse("a"), Expected::Any, filled(&[3, POISON]))).await;
    let text = error.to_string();
    assert!(!error.is_retryable(), "{error:?}");
    assert!(text.contains("`purses`") && text.contains("event 4 of stream Purse/a"), "{text}");
    assert!(text.contains("`Filled` 1.0"), "{text}");
    assert!(format!("{error:?}").contains("unlucky"), "{error:?}");
    assert!(refused(fill("a", &[PANIC])).await.is_retryable());
    conduct.fail(1);
    let again = fill("a", &[5]);
    assert!(refused(again.clone()).await.is_retryable());
    store.append(again.clone()).await.unwrap();
    // The command was done: neither the store nor the read model has it twice.
    let error = store.append(again).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Duplicate);
    assert_eq!(database.rows().await, stored(&store).await);
    assert_eq!(database.rows().await["a"], Row { cents: 8, sequence: 3 });
    assert_eq!(database.outbox(&store).await, 3);
}

pub(crate) async fn a_store_without_what_is_inline_appends_nothing<D: InlineDatabase>(database: &D) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let before = database.plain().await;
    payer.pay(&before, "a", &[1]).await;
    let store = database.inline(1, &conduct).await;
    payer.pay(&store, "a", &[2]).await;
    for other in [&before, &database.plain().await] {
        let error = other.append(fill("a", &[3])).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Config, false), "{error:?}");
        let text = format!("{error:?}");
        assert!(text.contains("purses") && text.contains("`inline`"), "{text}");
        let read = other.read_stream(&purse("a"), ReadStream::forward()).await.unwrap();
        assert_eq!(read.len(), 2, "it can be read");
    }
    assert_eq!(database.rows().await, payer.rows(1));
    assert_eq!(stored(&store).await, payer.rows(1));
}

pub(crate) async fn stores_that_are_opened_at_once_make_what_is_inline_once<D: InlineDatabase>(database: &D) {
    let conducts = [Conduct::default(), Conduct::default(), Conduct::default()];
    let (a, b, c) = tokio::join!(
        database.inline(1, &conducts[0]),
        database.inline(1, &conducts[1]),
        database.inline(1, &conducts[2])
    );
    let writers = [a, b, c].map(|store| {
        Env::system().spawn(async move {
            for purse in ["x", "y", "x", "z", "x"] {
                while let Err(error) = store.append(fill(purse, &[1])).await {
                    assert!(error.is_retryable(), "{error:?}");
                }
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let purses = [("x", 9), ("y", 3), ("z", 3)].map(|(id, n)| (id.to_owned(), Row { cents: n, sequence: n }));
    assert_eq!(database.rows().await, Rows::from(purses));
}

pub(crate) async fn what_was_there_before_is_in_what_becomes_inline<D: InlineDatabase>(database: &D) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let before = database.plain().await;
    payer.pay_all(&before, 10, 3).await;
    let store = database.inline(1, &conduct).await;
    assert_eq!(database.rows().await, payer.rows(1));
    assert!(conduct.told().is_empty(), "nobody is told of the past");
    payer.pay(&store, "p1", &[5]).await;
    assert_eq!(database.rows().await, payer.rows(1));
    assert_eq!(conduct.told(), [("p1".to_owned(), 4)]);
    // A store that is opened again goes on.
    let again = database.inline(1, &conduct).await;
    payer.pay(&again, "p2", &[6]).await;
    assert_eq!(database.rows().await, payer.rows(1));
}

pub(crate) async fn more_than_a_page_that_was_there_before_is_in_what_becomes_inline<D: InlineDatabase>(
    database: &D,
) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let before = database.plain().await;
    for purse in ["a", "b", "a"] {
        payer.pay(&before, purse, &[1; 400]).await;
    }
    let store = database.inline(1, &conduct).await;
    payer.pay(&store, "a", &[2]).await;
    assert_eq!(database.rows().await, payer.rows(1));
    assert_eq!(conduct.handled(), 1_201, "none of them twice");
}

pub(crate) async fn what_is_paused_does_not_become_inline_and_what_is_inline_does_not_pause<
    D: InlineDatabase,
>(
    database: &D,
) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let plain = database.plain().await;
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    payer.pay(&plain, "a", &[1]).await;
    let handle = database.handle().await;
    let is_refused = async |version: u32| {
        let error = database.open(Some((version, &conduct))).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.to_string().contains("it is paused; resume it first"), "{error}");
    };
    handle.pause().await.unwrap();
    is_refused(1).await;
    payer.pay(&plain, "a", &[2]).await;
    assert_eq!(database.rows().await, Rows::new(), "it is as it was");
    handle.resume().await.unwrap();
    let store = database.inline(1, &conduct).await;
    handle.pause().await.unwrap();
    payer.pay(&store, "a", &[3]).await;
    payer.pay(&database.inline(1, &conduct).await, "b", &[4]).await;
    assert_eq!(database.rows().await, payer.rows(1));
    is_refused(2).await;
    payer.pay(&store, "a", &[5]).await;
    assert_eq!(database.rows().await, payer.rows(1));
    handle.resume().await.unwrap();
    payer.pay(&database.inline(2, &conduct).await, "b", &[6]).await;
    assert_eq!(database.rows().await, payer.rows(2));
}

pub(crate) async fn a_higher_version_is_made_before_it_is_inline<D: InlineDatabase>(database: &D) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let one = database.inline(1, &conduct).await;
    payer.pay_all(&one, 5, 2).await;
    let two = database.inline(2, &conduct).await;
    assert_eq!(database.rows().await, payer.rows(2));
    let error = one.append(fill("p1", &[1])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    payer.pay(&two, "p1", &[3]).await;
    assert_eq!(database.rows().await, payer.rows(2));
    assert_eq!(stored(&two).await, payer.rows(1));
    let error = database.open(Some((1, &conduct))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("it is of version 2, this program knows version 1"), "{error}");
}

pub(crate) async fn what_becomes_inline_while_others_append_misses_nothing<D: InlineDatabase>(database: &D) {
    let conduct = Conduct::default();
    let writers: Vec<_> = {
        let mut writers = Vec::new();
        for number in 0..3 {
            let store = database.plain().await;
            writers.push(Env::system().spawn(async move {
                for count in 0_u64.. {
                    match store.append(fill(&format!("w{}", (count + number) % 4), &[1])).await {
                        Err(error) if error.kind() == ErrorKind::Config => return count,
                        Err(error) => assert!(error.is_retryable(), "{error:?}"),
                        Ok(_) => {}
                    }
                    // In memory, others have no turn otherwise, and nobody keeps up.
                    Env::system().sleep(Duration::from_millis(1)).await;
                }
                0
            }));
        }
        writers
    };
    let plain = database.plain().await;
    until("they write", async || stored(&plain).await.len() == 4).await;
    let store = database.inline(1, &conduct).await;
    for writer in writers {
        Env::system().timeout(PATIENCE, writer).await.expect("each is refused from then on").unwrap();
    }
    let rows = stored(&store).await;
    assert_eq!(database.rows().await, rows);
    store.append(fill("w1", &[1])).await.unwrap();
    assert_eq!(database.rows().await, stored(&store).await);
}

pub(crate) async fn a_projector_gives_way_to_appends_and_takes_over_from_them<D: InlineDatabase>(
    database: &D,
) {
    let (conduct, mut payer) = (Conduct::default(), Payer::default());
    let plain = database.plain().await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    payer.pay_all(&plain, 4, 2).await;
    let store = database.inline(1, &conduct).await;
    payer.pay_all(&store, 4, 2).await;
    assert_eq!(database.rows().await, payer.rows(1));
    projector.shutdown().await.unwrap();
    // Nor does one that has not heard of it get anything done.
    let (model, build) = (database.model().await, database.build(BuildState::Live).await.unwrap());
    let leased = model.lease(&build.id, "late", PATIENCE).await.unwrap();
    let [ShardLease { shard, epoch, position: from, .. }] = &leased.shards[..] else { panic!("one shard") };
    let (shard, epoch, to) = (*shard, *epoch, &build.shards[0].position);
    let step = Step { shard, epoch, from, to, handled: 8, last_time: None, passed: None };
    let mut transaction = model.begin(&build.id, PATIENCE).await.unwrap();
    assert_eq!((leased.paused, transaction.advance(&step).await.unwrap()), (true, false));
    drop(transaction);
    let error = database.projector(1, &conduct).await.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("it is inline"), "{error}");
    assert!(database.build(BuildState::Live).await.unwrap().inline);

    database.projector(1, &conduct).await.rebuild().await.unwrap();
    assert!(!database.build(BuildState::Live).await.unwrap().inline);
    let error = store.append(fill("p1", &[1])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    let position = payer.pay(&plain, "p1", &[7]).await;
    projector.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    projector.shutdown().await.unwrap();
}

/// Appends until it is killed.
pub(crate) async fn append_for_ever<D: DurableInlineDatabase>() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let store = D::open_at(&place, Some((1, &Conduct::default()))).await.unwrap();
    for count in 0_usize.. {
        store.append(fill(&format!("k{}", count % 3), &[1; 5])).await.unwrap();
    }
}

/// `writer` is the name of the test that appends for ever.
pub(crate) async fn a_writer_that_is_killed_leaves_both_or_neither<D: DurableInlineDatabase>(
    database: &D,
    writer: &str,
) {
    let store = database.inline(1, &Conduct::default()).await;
    for _ in 0..4 {
        let before = stored(&store).await;
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", writer, "--ignored", "--nocapture"]).env(PLACE, database.place());
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let more = async || stored(&store).await.values().map(|row| row.sequence).sum::<u64>();
        let there = before.values().map(|row| row.sequence).sum::<u64>();
        until("it has written", async || more().await > there + 20).await;
        child.kill().unwrap();
        child.wait().unwrap();
        // The server may still be at its last commit.
        until("events and read model agree", async || database.rows().await == stored(&store).await).await;
    }
    store.append(fill("k0", &[2])).await.unwrap();
    assert_eq!(database.rows().await, stored(&store).await);
}
