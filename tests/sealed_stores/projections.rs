//! Projections that follow a store.

use std::time::Duration;

use jitney::middleware::RetryPolicy;
use jitney::sourcing::projection::Stopped;
use jitney::sourcing::{OnFailure, ProjectionHandle};

use crate::parcels::{NAME, addressed, append};
use crate::setting::{Database, PATIENCE, until};

pub(crate) async fn a_projection_is_given_what_was_opened_and_waits_for_keys(database: &impl Database) {
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    database.mirror().set_away(true);
    let opened = database.mirror().opened();
    let running = database.projector(1, false).start().await.unwrap();
    until("it was asked for a key twice", async || database.mirror().opened() > opened + 1).await;
    let builds = running.builds().await.unwrap();
    assert!(builds[0].shards[0].stopped.is_none() && builds[0].shards[0].handled == 0, "{builds:?}");
    database.mirror().set_away(false);
    running.wait_for_end(PATIENCE).await.unwrap();
    assert_eq!(database.read_labels().await.get("p-1").map(String::as_str), Some(NAME));
    running.shutdown().await.unwrap();
    database.assert_sealed(&["events"], &["labels"]).await;
}

pub(crate) async fn a_projection_stops_at_no_event_where_the_set_up_is_wrong(database: &impl Database) {
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    database.mirror().set_up_wrongly(true);
    let quick = RetryPolicy::attempts(2).between(Duration::from_millis(5), Duration::from_millis(5));
    let projector = database.projector(1, false).retry(quick).on_failure(OnFailure::Park);
    let running = projector.start().await.unwrap();
    let opened = database.mirror().opened();
    until("it has tried more often than it tries an event", async || {
        database.mirror().opened() > opened + 20
    })
    .await;
    let builds = running.builds().await.unwrap();
    assert!(builds[0].shards[0].stopped.is_none(), "{builds:?}");
    assert!(running.passed(10).await.unwrap().is_empty());
    database.mirror().set_up_wrongly(false);
    running.wait_for_end(PATIENCE).await.unwrap();
    assert_eq!(database.read_labels().await.len(), 1);
    running.shutdown().await.unwrap();
}

pub(crate) async fn a_projection_stops_at_what_was_changed(database: &impl Database) {
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    database.append(append("e-2", &addressed("p-2", "c-1"))).await;
    database.change("e-2").await;
    let running = database.projector(1, false).start().await.unwrap();
    let error = running.wait_for_end(PATIENCE).await.unwrap_err().to_string();
    assert!(error.contains("e-2") && error.contains("cannot be opened"), "{error}");
    let stopped = running.builds().await.unwrap()[0].shards[0].stopped.clone().unwrap();
    assert!(stopped.is_at(&"e-2".into()), "{stopped:?}");
    assert_eq!(database.read_labels().await.len(), 1);
    running.shutdown().await.unwrap();
}

pub(crate) async fn a_projection_parks_what_was_changed(database: &impl Database) {
    for (id, parcel) in [("e-1", "p-1"), ("e-2", "p-2"), ("e-3", "p-3")] {
        database.append(append(id, &addressed(parcel, "c-1"))).await;
    }
    database.change("e-2").await;
    let running = database.projector(1, false).on_failure(OnFailure::Park).start().await.unwrap();
    running.wait_for_end(PATIENCE).await.unwrap();
    let passed = running.passed(10).await.unwrap();
    assert_eq!((passed.len(), passed[0].event.event_id.to_string()), (1, "e-2".to_owned()));
    assert_eq!(database.read_labels().await.into_keys().collect::<Vec<_>>(), ["p-1", "p-3"]);
    running.shutdown().await.unwrap();
}

pub(crate) async fn what_a_projection_cannot_read_is_recorded_without_its_values(database: &impl Database) {
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    let running = database.projector(1, true).start().await.unwrap();
    let error = running.wait_for_end(PATIENCE).await.unwrap_err();
    let Some(Stopped::At(event)) = running.builds().await.unwrap()[0].shards[0].stopped.clone() else {
        panic!("it stops at the event")
    };
    assert!(event.error.contains("not told, since there is personal data in it"), "{event}");
    assert!(!format!("{error:?} {event} {event:?}").contains(NAME));
    running.shutdown().await.unwrap();
    let running = database.projector(1, true).on_failure(OnFailure::Park).start().await.unwrap();
    let handle = ProjectionHandle::new(database.model(), "labels").unwrap();
    handle.resume().await.unwrap();
    running.wait_for_end(PATIENCE).await.unwrap();
    assert_eq!(running.passed(10).await.unwrap().len(), 1);
    running.shutdown().await.unwrap();
    database.assert_sealed(&["events"], &[]).await;
}
