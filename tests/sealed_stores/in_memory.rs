//! The stores in memory.

use std::collections::BTreeMap;

use jitney::handler::HandlerError;
use jitney::outbox::{MemoryOutbox, OutboxStore, SHARDS, Shard};
use jitney::sourcing::process::{MemoryProcessStore, ProcessRunner, ProcessStore};
use jitney::sourcing::{
    Aggregate, Append, ErrorKind, EventStore, Events, Expected, Filter, HandleError, MemoryReadModel,
    MemoryStore, OnFailure, Projecting, Projection, Projector, Repository, StoredEvent,
};
use jitney_testkit::mirror::{Mirror, PersonalText};

use crate::parcels::{Addressed, Courier, MIRRORED, NAME, Parcel, addressed, append, name_of, stream};
use crate::setting::PATIENCE;

struct Labels;

impl Projection for Labels {
    type Connection = BTreeMap<String, String>;

    fn name(&self) -> &str {
        "labels"
    }

    fn filter(&self) -> Filter {
        Filter::of::<Addressed>()
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, BTreeMap<String, String>>,
    ) -> Result<(), HandlerError> {
        let Addressed { parcel, name } = event.decode().map_err(HandlerError::permanent)?;
        at.connection().insert(parcel, name.text.unwrap_or_default());
        Ok(())
    }
}

async fn outgoing(outbox: &MemoryOutbox) -> Vec<String> {
    let shards: Vec<_> = (0..SHARDS).filter_map(Shard::from_number).collect();
    let pending = outbox.pending(&shards, 100).await.unwrap();
    pending.into_iter().map(|event| String::from_utf8(event.message.body.to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn what_an_append_takes_with_it_is_sealed_and_what_is_inline_opened() {
    let (model, outbox) = (MemoryReadModel::new(), MemoryOutbox::new());
    let plain = MemoryStore::new();
    let store = plain.clone().with_outbox(outbox.clone(), Filter::all()).sealed_by(Mirror::new());
    store.append(append("e-1", &addressed("p-1", "c-1"))).await.unwrap();
    // What is there already is opened for it too.
    let store = store.inline(&model, Labels).await.unwrap();
    store.append(append("e-2", &addressed("p-2", "c-1"))).await.unwrap();
    let labels = model.read("labels", Clone::clone).unwrap();
    assert_eq!(
        labels.into_iter().collect::<Vec<_>>(),
        ["p-1", "p-2"].map(|id| (id.to_owned(), NAME.to_owned()))
    );
    let outgoing = outgoing(&outbox).await;
    assert!(outgoing.len() == 2 && outgoing.iter().all(|event| event.contains(MIRRORED)), "{outgoing:?}");
    assert!(!format!("{outgoing:?} {plain:?}").contains(NAME));
}

#[tokio::test]
async fn processes_are_kept_sealed() {
    let mirror = Mirror::new();
    let events = MemoryStore::new().sealed_by(mirror.clone());
    let processes = MemoryProcessStore::new().sealed_by(mirror);
    let runner = ProcessRunner::<Courier>::new(processes.clone()).follow(events.clone());
    events.append(append("e-1", &addressed("p-1", "c-1"))).await.unwrap();
    runner.catch_up().await.unwrap();
    let kept = processes.get("courier", "p-1").await.unwrap().unwrap();
    for text in [&kept.state, &kept.compensations] {
        assert!(text.contains(MIRRORED) && !text.contains(NAME), "{text}");
    }
    assert!(outgoing(processes.outbox()).await.iter().all(|event| event.contains(MIRRORED)));
    assert_eq!(runner.look("p-1").await.unwrap().unwrap().state.name, Some(name_of("c-1")));
}

/// Counts events, whatever is in them.
struct Counts;

impl Projection for Counts {
    type Connection = BTreeMap<String, u64>;

    fn name(&self) -> &str {
        "counts"
    }

    fn filter(&self) -> Filter {
        Filter::all()
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, BTreeMap<String, u64>>,
    ) -> Result<(), HandlerError> {
        *at.connection().entry(event.head().aggregate_id.to_string()).or_default() += 1;
        Ok(())
    }
}

#[tokio::test]
async fn what_was_changed_is_given_to_no_projection_even_if_it_reads_nothing() {
    let model = MemoryReadModel::new();
    let store = MemoryStore::new().sealed_by(Mirror::new());
    store.append(append("e-1", &addressed("p-1", "c-1"))).await.unwrap();
    // Sealed for an event of another id.
    let moved = Mirror::new();
    let sealed = append("e-3", &addressed("p-2", "c-1")).seal(&moved).await.unwrap();
    let mut events = sealed.into_streams().remove(0).events;
    events[0].event_id = "e-2".into();
    store.append(Append::to(stream("p-2"), Expected::Any, events)).await.unwrap();
    let projector = Projector::new(store, model.clone(), Counts).on_failure(OnFailure::Park);
    let running = projector.start().await.unwrap();
    running.wait_for_end(PATIENCE).await.unwrap();
    assert_eq!(model.read("counts", |counts| counts.keys().cloned().collect::<Vec<_>>()).unwrap(), ["p-1"]);
    assert_eq!(running.passed(10).await.unwrap().len(), 1);
    running.shutdown().await.unwrap();
}

/// Says a name once more that it was told before.
#[derive(Default)]
struct Echo(Option<PersonalText>);

impl Aggregate for Echo {
    type Event = Addressed;
    type Command = ();
    type Error = std::convert::Infallible;

    fn decide(&self, (): ()) -> Result<Events<Addressed>, std::convert::Infallible> {
        let name = self.0.clone().expect("it was told");
        Ok(Addressed { parcel: "p-1".to_owned(), name }.into())
    }

    fn evolve(&mut self, event: &Addressed) {
        self.0 = Some(event.name.clone());
    }
}

#[tokio::test]
async fn who_is_forgotten_while_an_aggregate_decides_is_decided_on_anew() {
    let mirror = Mirror::new();
    let store = MemoryStore::new().sealed_by(mirror.clone());
    store.append(append("e-1", &addressed("p-1", "c-1"))).await.unwrap();
    mirror.forget_once_opened("c-1");
    let echoes = Repository::<Echo>::new(store);
    assert_eq!(echoes.handle("p-1", ()).await.unwrap().events, 1);
    assert_eq!(echoes.load("p-1").await.unwrap().state().0.as_ref().unwrap().text, None);
    // What is not from what was read stays refused.
    let parcels = Repository::<Parcel>::new(MemoryStore::new().sealed_by(mirror));
    let error = parcels.handle("p-2", addressed("p-2", "c-1")).await.unwrap_err();
    let HandleError::Store(error) = error;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Forgotten, false));
}
