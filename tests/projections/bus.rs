//! What a projection does with events that come by a bus, on every database: each once, in order, and none lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::app::RunningApp;
use jitney::handler::HandlerSpec;
use jitney::memory::{Faults, Memory};
use jitney::middleware::RetryPolicy;
use jitney::outbox::{MemoryOutbox, OutboxEvent, OutboxStore, Relay};
use jitney::prelude::*;
use jitney::sourcing::projection::{
    BuildState, BusProjection, BusProjector, BusReadModel, BusTransaction, Mark, OnBusFailure,
    ReadModelTransaction, Received, ShardLease, Stopped,
};
use jitney::sourcing::{ErrorKind, NewEvent, Position, ProjectionHandle, Projector, ReadModel, StreamId};
use jitney::{Env, Id};

use crate::setting::{Conduct, Database, PATIENCE, POISON, PurseEvent, Row, Rows, stopped_at, until};

/// The aggregate type of purses.
const PURSE: &str = "Purse";

/// Payments on their way over a bus.
pub(crate) struct Post {
    outbox: MemoryOutbox,
    relay: Relay,
}

/// A payment: the same each time that it is posted.
#[derive(Clone)]
pub(crate) struct Payment {
    pub(crate) purse: String,
    /// Its place in the stream of its purse, where that has one.
    pub(crate) sequence: Option<u64>,
    id: Id,
    cents: u64,
}

impl Payment {
    pub(crate) fn new(purse: &str, sequence: impl Into<Option<u64>>, cents: u64) -> Self {
        let (sequence, id) = (sequence.into(), Env::system().new_id());
        Payment { purse: purse.to_owned(), sequence, id, cents }
    }

    pub(crate) fn mark(&self) -> Mark<'_> {
        match self.sequence {
            Some(sequence) => Mark::place(PURSE, &self.purse, sequence),
            None => Mark::Id(&self.id),
        }
    }

    fn event(&self) -> OutboxEvent {
        let event = PurseEvent::Filled { cents: self.cents };
        let new = NewEvent::new(self.id.clone(), Env::system().now(), &event).unwrap();
        let topic = new.topic.clone();
        let stored = new.into_stored(&StreamId::new(PURSE, self.purse.clone()), 1, Position::START);
        let mut head = stored.head().clone();
        head.sequence = self.sequence;
        OutboxEvent::from_head(head, stored.payload_json().clone(), topic)
    }
}

impl Post {
    pub(crate) fn new(bus: &Bus) -> Self {
        let outbox = MemoryOutbox::new();
        Post { relay: Relay::new(outbox.clone(), bus), outbox }
    }

    pub(crate) async fn send(&self, payments: impl IntoIterator<Item = &Payment>) {
        self.outbox.add_all(payments.into_iter().map(Payment::event)).unwrap();
        until("all are published", async || {
            // What a bus with faults has refused is sent again.
            let relayed = self.relay.drain().await;
            let backlog = self.outbox.backlog().await.unwrap();
            assert_eq!(backlog.parked, 0, "{relayed:?}");
            backlog.pending == 0
        })
        .await;
    }
}

/// What is in a read model that has handled `payments`.
pub(crate) fn rows<'a>(payments: impl IntoIterator<Item = &'a Payment>) -> Rows {
    let mut rows = Rows::new();
    for payment in payments {
        let row = rows.entry(payment.purse.clone()).or_default();
        *row = Row { cents: row.cents + payment.cents, sequence: row.sequence + 1 };
    }
    rows
}

/// The projection `purses`, which looks around and tries again quickly.
pub(crate) async fn projector<D>(database: &D, conduct: &Conduct) -> BusProjector<D::Purses, D::Model>
where
    D: Database<Model: BusReadModel>,
{
    BusProjector::new(database.model().await, database.purses(1, conduct))
        .poll_every(Duration::from_millis(10))
        .retry(RetryPolicy::attempts(3).between(Duration::from_millis(1), Duration::from_millis(5)))
}

/// A service with a projection on a bus in memory, and what it gave up.
struct Service {
    memory: Memory,
    post: Post,
    dead: Arc<Mutex<Vec<String>>>,
    apps: Vec<RunningApp>,
}

impl Service {
    async fn new(faults: Faults, seed: u64) -> Self {
        let memory = Memory::builder().faults(faults).seed(seed).env(Env::system()).build();
        let post = Post::new(&Bus::builder(memory.connect()).build());
        Service { memory, post, dead: Arc::default(), apps: Vec::new() }
    }

    /// Another member of the group.
    async fn join<D>(&mut self, projection: &BusProjection<D::Purses, D::Model>)
    where
        D: Database<Model: BusReadModel>,
    {
        let dead = Arc::clone(&self.dead);
        let app = App::new("reports", Bus::builder(self.memory.connect()).build())
            .handlers(projection.handlers(HandlerSpec::new("purses")))
            .on_dead_letter(move |letter| dead.lock().unwrap().push(letter.failure.error.clone()));
        self.apps.push(app.spawn().await.unwrap());
    }

    async fn of<D>(projector: BusProjector<D::Purses, D::Model>) -> (Self, BusProjection<D::Purses, D::Model>)
    where
        D: Database<Model: BusReadModel>,
    {
        let mut service = Service::new(Faults::none(), 1).await;
        let projection = projector.prepare().await.unwrap();
        service.join::<D>(&projection).await;
        (service, projection)
    }

    async fn settled(&self) {
        until("the bus is empty", async || self.memory.pending("reports.purses") == 0).await;
    }

    fn dead(&self) -> Vec<String> {
        self.dead.lock().unwrap().clone()
    }

    async fn shutdown(self) {
        for app in self.apps {
            app.shutdown().await.unwrap();
        }
    }
}

/// What a payment is to the live build, without any effect.
async fn received<D>(database: &D, payment: &Payment) -> Received
where
    D: Database<Model: BusReadModel>,
{
    let (model, build) = (database.model().await, database.build(BuildState::Live).await.unwrap());
    let mut transaction = model.begin(&build.id, PATIENCE).await.unwrap();
    transaction.receive(&payment.mark(), false).await.unwrap()
}

pub(crate) async fn has_stopped(handle: &ProjectionHandle<impl ReadModel>) -> bool {
    handle.builds().await.unwrap()[0].shards[0].stopped.is_some()
}

pub(crate) async fn what_a_bus_delivers_again_changes_nothing<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let env = Env::seeded(11);
    let mut all = Vec::new();
    for seed in 1..=3 {
        let conduct = Conduct::default();
        let faults = Faults { duplicate: 0.3, drop_ack: 0.1, crash: 0.1, ..Faults::none() };
        let mut service = Service::new(faults, seed).await;
        // Two processes, with connections of their own.
        for _ in 0..2 {
            let projector = projector(database, &conduct).await.batch(if seed == 2 { 7 } else { 1 });
            service.join::<D>(&projector.prepare().await.unwrap()).await;
        }
        let mut sent = Vec::<Payment>::new();
        for number in 1..=12 {
            for purse in ["a", "b", "c"] {
                let (purse, sequence) = (format!("{seed}{purse}"), (purse != "c").then_some(number));
                sent.push(Payment::new(&purse, sequence, number));
                // And some that were sent before, of whatever age.
                let again: Vec<_> = sent
                    .iter()
                    .filter(|_| env.random().is_multiple_of(12))
                    .chain(sent.last())
                    .cloned()
                    .collect();
                service.post.send(&again).await;
            }
        }
        all.extend(sent);
        until("all are handled", async || database.rows().await == rows(&all)).await;
        service.settled().await;
        assert_eq!(service.dead(), Vec::<String>::new());
        service.shutdown().await;
        assert_eq!(database.rows().await, rows(&all), "none twice");
        assert!(each_once(&conduct.told()), "{:?}", conduct.told());
    }
}

/// Whether nobody was told twice of an event that has a place. A member that dies behind a commit tells nobody.
pub(crate) fn each_once(told: &[(String, u64)]) -> bool {
    let mut seen = BTreeSet::new();
    told.iter().filter(|(_, sequence)| *sequence > 0).all(|about| seen.insert(about))
}

pub(crate) async fn what_was_overtaken_is_neither_handled_late_nor_lost<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let conduct = Conduct::default();
    let (service, _) = Service::of::<D>(projector(database, &conduct).await).await;
    let payment = |sequence| Payment::new("a", sequence, sequence);
    let all = [1, 2, 3, 4, 5].map(payment);
    service.post.send([&all[0], &all[3], &all[3], &all[1]]).await;
    until("it is given up", async || !service.dead().is_empty()).await;
    service.settled().await;
    let dead = service.dead();
    assert!(
        dead.len() == 1 && dead[0].contains("event 2 of stream Purse/a has come behind later"),
        "{dead:?}"
    );
    assert_eq!(database.rows().await, rows([&all[0], &all[3]]));
    service.shutdown().await;
    // The order is all the same, and what was missing comes in whatever order.
    let (service, _) = Service::of::<D>(projector(database, &conduct).await.any_order()).await;
    service.post.send([&all[2], &all[1], &all[2], &all[4], &all[1], &all[0]]).await;
    until("all are handled", async || database.rows().await == rows(&all)).await;
    service.settled().await;
    assert_eq!((database.rows().await, service.dead().len()), (rows(&all), 0));
    service.shutdown().await;
}

pub(crate) async fn what_cannot_be_handled_is_a_dead_letter_and_can_come_again<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let conduct = Conduct::default();
    let (service, projection) = Service::of::<D>(projector(database, &conduct).await).await;
    let all = [Payment::new("a", 1, 1), Payment::new("b", 1, 2), Payment::new("a", 2, POISON)];
    conduct.fail(2);
    service.post.send(&all).await;
    until("it is given up", async || !service.dead().is_empty()).await;
    projection.wait_for(all[0].mark(), PATIENCE).await.unwrap();
    projection.wait_for(all[1].mark(), PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, rows(&all[..2]), "errors that pass are no dead letters");
    let error = projection.wait_for(all[2].mark(), Duration::from_millis(20)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Projection && error.is_retryable(), "{error:?}");
    conduct.mend();
    // What no database can keep a mark of is one of them, and holds nothing up.
    let unkept = ["a\0".to_owned(), "a".repeat(3_000)].map(|purse| Payment::new(&purse, 1, 1));
    service.post.send(unkept.iter().chain([&all[2]])).await;
    projection.wait_for(all[2].mark(), PATIENCE).await.unwrap();
    service.settled().await;
    assert_eq!((database.rows().await, service.dead().len()), (rows(&all), 3));
    service.shutdown().await;
}

pub(crate) async fn an_event_of_a_batch_that_cannot_be_handled_takes_no_other_with_it<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let conduct = Conduct::default();
    let projection = projector(database, &conduct).await.batch(20).prepare().await.unwrap();
    let mut service = Service::new(Faults::none(), 1).await;
    let all: Vec<_> = (1..=20)
        .map(|number| {
            let (purse, sequence) = if number > 10 { ("b", None) } else { ("a", Some(number)) };
            Payment::new(purse, sequence, 1)
        })
        .chain([Payment::new("d", 1, POISON), Payment::new("d", 2, 2), Payment::new("a", 11, 5)])
        .collect();
    // All have come before there is anybody, so they are in batches; some fail at first, each of them behind no other of its stream.
    service.post.send(&all).await;
    // Fewer times than an event is tried: one may have all of it.
    conduct.fail(2);
    service.join::<D>(&projection).await;
    service.settled().await;
    let expected: Vec<_> = all.iter().filter(|payment| payment.cents != POISON).cloned().collect();
    assert_eq!(database.rows().await, rows(&expected));
    assert_eq!(service.dead(), ["that is an unlucky number"]);
    let of_a: Vec<_> = conduct.told().into_iter().filter(|(purse, _)| purse == "a").collect();
    assert_eq!(
        of_a,
        (1..=11).map(|sequence| ("a".to_owned(), sequence)).collect::<Vec<_>>(),
        "in their order"
    );
    service.shutdown().await;
}

pub(crate) async fn a_projection_of_a_bus_stops_where_that_is_wanted<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let conduct = Conduct::default();
    let stopping = projector(database, &conduct).await.on_failure(OnBusFailure::Stop);
    let (service, projection) = Service::of::<D>(stopping).await;
    let handle = projection.handle();
    let all = [("a", 1, 1), ("a", 2, POISON), ("a", 3, 3), ("b", 1, POISON), ("b", 2, 5)]
        .map(|(purse, sequence, cents)| Payment::new(purse, sequence, cents));
    service.post.send(&all[..3]).await;
    let error = projection.wait_for(all[2].mark(), PATIENCE).await.unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
    assert!(error.to_string().contains("event 2 of stream Purse/a"), "{error}");
    assert!(has_stopped(&handle).await);
    // Another one that fails at the same time does not hide it: whoever has seen it can skip it.
    let (model, seen) = (database.model().await, stopped_at(&handle).await);
    let mut other = seen.clone();
    other.event_id = Id::from("another");
    let lease = ShardLease { shard: 0, epoch: 0, position: Position::START, stopped: None };
    let build = database.build(BuildState::Live).await.unwrap();
    model.stop(&build.id, &lease, &Stopped::At(other)).await.unwrap();
    assert_eq!(stopped_at(&handle).await, seen);
    assert_eq!(received(database, &all[4]).await, Received::Closed, "nor are other streams");
    assert_eq!(database.rows().await, rows(&all[..1]));
    // Mended, it goes on.
    conduct.mend();
    handle.resume().await.unwrap();
    projection.wait_for(all[2].mark(), PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, rows(&all[..3]));
    service.shutdown().await;
    // One that is skipped is passed, and recorded; an error that does not pass stops too, when it was tried often enough.
    let conduct = Conduct::default();
    let stopping = projector(database, &conduct).await.on_failure(OnBusFailure::Stop);
    let (service, projection) = Service::of::<D>(stopping).await;
    service.post.send(&all[3..]).await;
    until("it stops", async || has_stopped(&handle).await).await;
    handle.skip(&all[3].id).await.unwrap();
    projection.wait_for(all[4].mark(), PATIENCE).await.unwrap();
    let passed = handle.passed(10).await.unwrap();
    assert!(passed.len() == 1 && passed[0].skipped && passed[0].event.event_id == all[3].id, "{passed:?}");
    let expected: Vec<_> = all[..3].iter().chain(&all[4..]).cloned().collect();
    assert_eq!(database.rows().await, rows(&expected));
    conduct.fail(3);
    let last = Payment::new("a", 4, 4);
    service.post.send([&last]).await;
    until("it stops", async || has_stopped(&handle).await).await;
    handle.resume().await.unwrap();
    projection.wait_for(last.mark(), PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, rows(expected.iter().chain([&last])));
    service.settled().await;
    assert_eq!(service.dead(), Vec::<String>::new(), "none is given up");
    service.shutdown().await;
}

pub(crate) async fn what_comes_by_a_bus_waits_while_it_is_paused<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let conduct = Conduct::default();
    let (service, projection) = Service::of::<D>(projector(database, &conduct).await).await;
    let handle = projection.handle();
    handle.pause().await.unwrap();
    let all = [Payment::new("a", 1, 1), Payment::new("b", None, 2)];
    assert_eq!(received(database, &all[0]).await, Received::Closed);
    service.post.send(&all).await;
    assert!(database.rows().await.is_empty());
    handle.resume().await.unwrap();
    for payment in &all {
        projection.wait_for(payment.mark(), PATIENCE).await.unwrap();
    }
    assert_eq!((database.rows().await, service.dead().len()), (rows(&all), 0));
    service.shutdown().await;
}

pub(crate) async fn of_two_that_have_one_event_one_handles_it<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let projection = projector(database, &Conduct::default()).await.prepare().await.unwrap();
    let build = projection.handle().builds().await.unwrap().remove(0).id;
    for (number, commits) in [(1, false), (2, true)] {
        for payment in [Payment::new("a", number, 1), Payment::new("b", None, 1)] {
            let (one, two) = (database.model().await, database.model().await);
            let mut first = one.begin(&build, PATIENCE).await.unwrap();
            assert_eq!(first.receive(&payment.mark(), false).await.unwrap(), Received::New);
            let second = {
                let (build, payment) = (build.clone(), payment.clone());
                Env::system().spawn(async move {
                    let mut second = two.begin(&build, PATIENCE).await.unwrap();
                    let received = second.receive(&payment.mark(), false).await.unwrap();
                    second.commit().await.unwrap();
                    received
                })
            };
            if commits {
                first.commit().await.unwrap();
            } else {
                // As where its process dies.
                drop(first);
            }
            let expected = if commits { Received::Repeated } else { Received::New };
            assert_eq!(second.await.unwrap(), expected, "{:?}", payment.mark());
            assert!(one.has_received(&build, &payment.mark()).await.unwrap());
        }
    }
}

pub(crate) async fn marks_are_those_of_a_simple_model<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let projection = projector(database, &Conduct::default()).await.prepare().await.unwrap();
    let (model, build) = (database.model().await, projection.handle().builds().await.unwrap().remove(0).id);
    for seed in 0..6 {
        let (env, stream) = (Env::seeded(seed), format!("s-{seed}"));
        let mut handled = BTreeSet::new();
        let mut transaction = model.begin(&build, PATIENCE).await.unwrap();
        for _ in 0..60 {
            let (sequence, overtaken_too) = (1 + env.random() % 20, env.random().is_multiple_of(3));
            let is_last = handled.last().is_none_or(|last| sequence > *last);
            let expected = match (handled.contains(&sequence), is_last) {
                (true, _) => Received::Repeated,
                (false, true) => Received::New,
                (false, false) => Received::Overtaken,
            };
            let mark = Mark::place(PURSE, &stream, sequence);
            let received = transaction.receive(&mark, overtaken_too).await.unwrap();
            assert_eq!(received, expected, "{sequence} behind {handled:?}");
            if expected == Received::New || overtaken_too {
                handled.insert(sequence);
            }
        }
        transaction.commit().await.unwrap();
        for sequence in 1..=20 {
            let has = model.has_received(&build, &Mark::place(PURSE, &stream, sequence)).await.unwrap();
            assert_eq!(has, handled.contains(&sequence), "{sequence} of {handled:?}");
        }
    }
}

pub(crate) async fn a_store_and_a_bus_do_not_feed_one_projection<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let conduct = Conduct::default();
    projector(database, &conduct).await.prepare().await.unwrap();
    let error = database.projector(1, &conduct).await.start().await.map(drop).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("come by a bus"), "{error:?}");
    let error = database.projector(2, &conduct).await.rebuild().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    let error = database.handle().await.wait_for(&Position::at([1]), PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    // Another version cannot have what has gone by.
    let newer = BusProjector::new(database.model().await, database.purses(2, &conduct));
    let error = newer.prepare().await.map(drop).unwrap_err();
    assert!(
        error.kind() == ErrorKind::Unsupported && error.to_string().contains("another name"),
        "{error:?}"
    );
    assert_eq!(database.build(BuildState::Live).await.unwrap().version, 1);
}

pub(crate) async fn what_follows_a_store_takes_no_events_of_a_bus<D>(database: &D)
where
    D: Database<Model: BusReadModel>,
{
    let conduct = Conduct::default();
    let started = Projector::new(database.store(), database.model().await, database.purses(1, &conduct));
    started.start().await.unwrap().shutdown().await.unwrap();
    let error = projector(database, &conduct).await.prepare().await.map(drop).unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("follows a store"), "{error:?}");
}
