//! What follows when somebody is forgotten.

use std::collections::BTreeMap;

use jitney::sourcing::projection::{BuildState, NewBuild, ReadModelTransaction, Rebuilds};
use jitney::sourcing::{
    ErrorKind, EventStore, Position, Projection, ProjectionHandle, Projector, ReadModel, Repository,
    SnapshotPolicy,
};

use crate::parcels::{NAME, Parcel, addressed, append};
use crate::setting::{Database, PATIENCE};

/// The labels that a projector has made of three parcels of two people, one of whom is forgotten then.
async fn labelled<D: Database>(database: &D) {
    for (id, parcel, subject) in [("e-1", "p-1", "c-1"), ("e-2", "p-2", "c-2"), ("e-3", "p-3", "c-1")] {
        database.append(append(id, &addressed(parcel, subject))).await;
    }
    let running = database.projector(1, false).start().await.unwrap();
    running.wait_for_end(PATIENCE).await.unwrap();
    running.shutdown().await.unwrap();
    assert!(database.read_labels().await.values().all(|name| name == NAME));
    database.mirror().forget("c-1");
}

fn labels(names: [&str; 3]) -> BTreeMap<String, String> {
    ["p-1", "p-2", "p-3"]
        .into_iter()
        .zip(names)
        .map(|(parcel, name)| (parcel.to_owned(), name.to_owned()))
        .collect()
}

/// The projector, made as often as it is asked for.
macro_rules! rebuilds {
    ($database:expr) => {{
        let (store, model) = ($database.store().clone(), $database.model());
        let labels = std::sync::Arc::new($database.labels(1, false));
        Rebuilds::new().of(move || {
            let projector = Projector::new(store.clone(), model.clone(), std::sync::Arc::clone(&labels));
            projector.poll_every(std::time::Duration::from_millis(20))
        })
    }};
}

pub(crate) async fn a_read_model_is_made_anew_without_who_is_forgotten<D: Database>(database: &D) {
    let rebuilds = rebuilds!(database);
    assert_eq!(rebuilds.run().await.unwrap(), [], "what was never made holds nothing");
    labelled(database).await;
    let before = database.model().builds("labels").await.unwrap()[0].id.number;
    let made = rebuilds.run().await.unwrap();
    assert_eq!((made.len(), &*made[0].projection), (1, "labels"));
    let builds = database.model().builds("labels").await.unwrap();
    assert_eq!((builds.len(), builds[0].id.number), (1, made[0].build));
    assert!(made[0].build > before);
    assert_eq!(database.read_labels().await, labels(["", NAME, ""]));
    let everything = database.everything().await;
    let places = everything.values().map(|text| text.matches(NAME).count()).sum::<usize>();
    assert_eq!(places, 1, "what is left of the old one is removed: {everything:?}");
}

pub(crate) async fn a_read_model_that_is_paused_is_refused_until_it_is_resumed<D: Database>(database: &D) {
    labelled(database).await;
    let handle = ProjectionHandle::new(database.model(), "labels").unwrap();
    handle.pause().await.unwrap();
    let error = rebuilds!(database).run().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("resume it first"), "{error:?}");
    assert_eq!(database.model().builds("labels").await.unwrap().len(), 1, "nothing was begun");
    handle.resume().await.unwrap();
    assert_eq!(rebuilds!(database).run().await.unwrap().len(), 1);
    assert_eq!(database.read_labels().await, labels(["", NAME, ""]));
}

pub(crate) async fn a_build_that_was_begun_before_does_not_count<D: Database>(database: &D) {
    labelled(database).await;
    // Somebody else had begun a rebuild, and has handled everything while the key was there: it has the old names.
    let builds = database.model().builds("labels").await.unwrap();
    let new = NewBuild {
        projection: "labels".to_owned(),
        state: BuildState::Next,
        version: 1,
        shards: 1,
        live_from: Position::START,
    };
    let mut transaction = database.model().begin_build(&new).await.unwrap().unwrap();
    database.labels(1, false).prepare(transaction.connection()).await.unwrap();
    transaction.commit().await.unwrap();
    let begun = database.model().builds("labels").await.unwrap();
    let begun = begun.iter().find(|build| build.id.state == BuildState::Next).unwrap().id.number;
    assert!(begun > builds[0].id.number);
    let made = rebuilds!(database).run().await.unwrap();
    assert!(made[0].build > begun, "{made:?}");
    assert_eq!(database.read_labels().await, labels(["", NAME, ""]));
}

pub(crate) async fn a_snapshot_of_who_is_forgotten_is_gone(database: &impl Database) {
    let parcels = Repository::<Parcel>::new(database.store().clone());
    let parcels = parcels.with_snapshots_of(SnapshotPolicy::every(1), "a name").unwrap();
    for (parcel, subject) in [("p-1", "c-1"), ("p-2", "c-2")] {
        parcels.handle(parcel, addressed(parcel, subject)).await.unwrap();
    }
    database.mirror().forget("c-1");
    let erased = |parcel: &Parcel| parcel.name.as_ref().is_some_and(|name| name.text.is_none());
    assert!(erased(&parcels.load("p-1").await.unwrap()), "also where the snapshot is still there");
    let snapshots = database.store().snapshots().unwrap();
    assert_eq!(snapshots.delete_snapshots_of("c-1").await.unwrap(), 1);
    assert_eq!(snapshots.delete_snapshots_of("c-1").await.unwrap(), 0);
    for (parcel, is_there) in [("p-1", false), ("p-2", true)] {
        let snapshot = snapshots.load_snapshot(&crate::parcels::stream(parcel)).await.unwrap();
        assert_eq!(snapshot.is_some(), is_there, "{parcel}");
    }
    assert!(erased(&parcels.load("p-1").await.unwrap()));
}
