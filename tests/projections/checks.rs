//! What a projection does on every database.

use std::time::Duration;

use jitney::Id;
use jitney::sourcing::projection::{BuildState, ProjectionLag, ReadModelTransaction, ShardLease, Step};
use jitney::sourcing::{ErrorKind, MemoryReadModel, OnFailure, Position, Projector, ReadModel};

use crate::memory;
use crate::setting::{Conduct, Database, PANIC, PATIENCE, POISON, Payer, stopped_at, until};

pub(crate) async fn what_is_appended_is_in_the_read_model(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay_all(&*store, 3, 2).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    let position = payer.pay(&*store, "p1", &[5, 6]).await;
    projector.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1), "what a reader sees behind the wait");
    database.handle().await.wait_for(&position, PATIENCE).await.unwrap();
    let status = projector.status().await.unwrap();
    assert_eq!((status.lag, status.builds.len()), (Some(ProjectionLag::default()), 1));
    assert_eq!(status.builds[0].shards[0].handled, 8);
    projector.shutdown().await.unwrap();
    let unreached = payer.pay(&*store, "p1", &[7]).await;
    let error = database.handle().await.wait_for(&unreached, Duration::from_millis(50)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Projection && error.is_retryable(), "{error:?}");
}

pub(crate) async fn what_a_request_has_led_to_is_waited_for_by_its_correlation_id(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    let (handle, id) = (database.handle().await, Id::from("request 17"));
    until("the store answers in time", async || {
        let error = handle.wait_for_correlation(&*store, &id, Duration::from_millis(50)).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        error.kind() == ErrorKind::Projection && error.to_string().contains("has no event of it")
    })
    .await;
    // One that waits already hears of what comes, in the store and in the read model.
    handle.pause().await.unwrap();
    let (mut request, waited) = (Payer::of_request(&id), handle.wait_for_correlation(&*store, &id, PATIENCE));
    let asked = async {
        request.pay(&*store, "a", &[1]).await;
        request.pay(&*store, "b", &[2, 3]).await;
        handle.resume().await.unwrap();
    };
    let (waited, ()) = tokio::join!(waited, asked);
    waited.unwrap();
    handle.wait_for_correlation(&*store, &id, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, request.rows(1));
    projector.shutdown().await.unwrap();
    payer.pay(&*store, "c", &[4]).await;
    handle.wait_for_correlation(&*store, &id, PATIENCE).await.expect("what others do is not waited for");
    request.pay(&*store, "a", &[5]).await;
    let error = handle.wait_for_correlation(&*store, &id, Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("to come to"), "{error}");
}

pub(crate) async fn a_projector_that_is_started_again_goes_on_where_it_was(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    for _ in 0..3 {
        payer.pay_all(&*store, 4, 1).await;
        let projector = database.projector(1, &conduct).await.batch(3).start().await.unwrap();
        projector.wait_for_end(PATIENCE).await.unwrap();
        projector.shutdown().await.unwrap();
    }
    assert_eq!(database.rows().await, payer.rows(1));
    assert_eq!(conduct.handled(), 12, "none of them twice");
}

pub(crate) async fn projectors_share_the_shards_and_miss_and_repeat_nothing(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let projector = async || {
        let projector = database.projector(1, &conduct).await.shards(4).batch(5);
        projector.lease(Duration::from_secs(2)).start().await.unwrap()
    };
    let one = projector().await;
    payer.pay_all(&*store, 10, 3).await;
    let two = projector().await;
    until("each has its share", async || {
        let build = database.build(BuildState::Live).await.unwrap();
        let mut owners: Vec<_> = build.shards.iter().filter_map(|shard| shard.owner.clone()).collect();
        owners.sort();
        owners.len() == 4 && owners[1] != owners[2]
    })
    .await;
    let position = payer.pay_all(&*store, 10, 3).await;
    one.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    one.shutdown().await.unwrap();
    let position = payer.pay_all(&*store, 10, 1).await;
    two.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1), "from one that left");
    two.shutdown().await.unwrap();
}

pub(crate) async fn a_projector_that_is_killed_is_replaced_when_its_lease_has_passed(
    database: &impl Database,
) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay_all(&*store, 5, 4).await;
    // A worker that took the shard, and died in its first transaction.
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    let position = payer.pay_all(&*store, 5, 1).await;
    let model = database.model().await;
    let build = database.build(BuildState::Live).await.unwrap();
    let leased = model.lease(&build.id, "dead", Duration::from_millis(300)).await.unwrap();
    let [lease] = &leased.shards[..] else { panic!("one shard") };
    let mut transaction = model.begin(&build.id, PATIENCE).await.unwrap();
    let step = Step {
        shard: 0,
        epoch: lease.epoch,
        from: &lease.position,
        to: &position,
        handled: 5,
        last_time: None,
        passed: None,
    };
    assert!(transaction.advance(&step).await.unwrap());
    drop(transaction);
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    assert!(database.build(BuildState::Live).await.unwrap().shards[0].epoch > lease.epoch);
    projector.shutdown().await.unwrap();
}

pub(crate) async fn a_worker_that_has_lost_its_shard_cannot_move_the_checkpoint(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    let position = payer.pay(&*store, "a", &[1]).await;
    let model = database.model().await;
    let build = database.build(BuildState::Live).await.unwrap();
    let old = model.lease(&build.id, "old", Duration::ZERO).await.unwrap().shards.remove(0);
    until("another one takes over", async || {
        let lease = model.lease(&build.id, "new", Duration::from_secs(60)).await.unwrap();
        lease.shards.first().is_some_and(|lease| lease.epoch > old.epoch)
    })
    .await;
    let step = |epoch, from| Step {
        shard: 0,
        epoch,
        from,
        to: &position,
        handled: 1,
        last_time: None,
        passed: None,
    };
    let advance = async |step: Step<'_>| {
        let mut transaction = model.begin(&build.id, PATIENCE).await.unwrap();
        let moved = transaction.advance(&step).await.unwrap();
        if moved {
            transaction.commit().await.unwrap();
        }
        moved
    };
    assert!(!advance(step(old.epoch, &old.position)).await, "it is no longer its owner");
    assert!(!advance(step(old.epoch + 1, &position)).await, "the checkpoint is not there");
    assert!(advance(step(old.epoch + 1, &old.position)).await, "its owner, from where it is");
    assert!(!advance(step(old.epoch + 1, &old.position)).await, "it is there already");
}

pub(crate) async fn what_is_paused_stays_so_until_it_is_resumed(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    let position = payer.pay(&*store, "a", &[1]).await;
    projector.wait_for(&position, PATIENCE).await.unwrap();
    // From another process, and over a restart.
    database.handle().await.pause().await.unwrap();
    let before = database.rows().await;
    let position = payer.pay(&*store, "a", &[2]).await;
    projector.shutdown().await.unwrap();
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    // It is at work, and another projection, which began later, has read everything.
    until("it has its shard", async || {
        database.build(BuildState::Live).await.unwrap().shards[0].owner.is_some()
    })
    .await;
    let (model, purses) =
        (MemoryReadModel::new(), memory::Purses { version: 1, conduct: Conduct::default() });
    let other = Projector::new(database.store(), model, purses).start().await.unwrap();
    other.wait_for(&position, PATIENCE).await.unwrap();
    other.shutdown().await.unwrap();
    assert_eq!(database.rows().await, before);
    assert!(database.build(BuildState::Live).await.unwrap().paused);
    assert_eq!(projector.status().await.unwrap().lag.unwrap().events, 1);
    projector.resume().await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    projector.shutdown().await.unwrap();
}

pub(crate) async fn an_event_that_cannot_be_handled_stops_its_shard_and_can_be_skipped(
    database: &impl Database,
) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay(&*store, "a", &[1, 2, 3]).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    payer.pay(&*store, "b", &[4, POISON, 5]).await;
    let position = payer.pay(&*store, "a", &[6]).await;
    let error = projector.wait_for(&position, PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Projection, false));
    let text = error.to_string();
    for part in ["`purses`", "event 2 of stream Purse/b", "`Filled` 1.0", "unlucky", "skip"] {
        assert!(text.contains(part), "{part} in: {text}");
    }
    let stopped = stopped_at(&database.handle().await).await;
    assert_eq!((stopped.sequence, stopped.attempts), (2, 1));
    assert_eq!(database.rows().await["b"].cents, 4, "everything before it is there");
    let error = projector.skip(&Id::from("another")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(projector.passed(10).await.unwrap().is_empty());
    // From another process.
    database.handle().await.skip(&stopped.event_id).await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    let rows = database.rows().await;
    assert_eq!((rows["a"].cents, rows["b"].cents, rows["b"].sequence), (12, 9, 2));
    let passed = projector.passed(10).await.unwrap();
    assert!(passed.len() == 1 && passed[0].skipped && passed[0].event.event_id == stopped.event_id);
    assert!(passed[0].event.error.contains("unlucky"));
    projector.shutdown().await.unwrap();
}

pub(crate) async fn a_shard_that_has_stopped_further_on_fails_no_wait(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let projector = database.projector(1, &conduct).await.shards(2).start().await.unwrap();
    projector.shutdown().await.unwrap();
    let near = payer.pay(&*store, "a", &[1]).await;
    let far = payer.pay(&*store, "a", &[POISON]).await;
    // The first shard is further on, and then stops; the second one has not come so far.
    let (model, build) = (database.model().await, database.build(BuildState::Live).await.unwrap());
    let leased = model.lease(&build.id, "by hand", Duration::from_secs(60)).await.unwrap();
    let advance = async |lease: &ShardLease, to: &Position| {
        let (shard, epoch, from) = (lease.shard, lease.epoch, &lease.position);
        let step = Step { shard, epoch, from, to, handled: 0, last_time: None, passed: None };
        let mut transaction = model.begin(&build.id, PATIENCE).await.unwrap();
        assert!(transaction.advance(&step).await.unwrap());
        transaction.commit().await.unwrap();
        ShardLease { position: to.clone(), ..lease.clone() }
    };
    let first = advance(&leased.shards[0], &near).await;
    let event = r#"{"event_id":"e","aggregate_type":"Purse","aggregate_id":"a","sequence":2,"event_type":"Filled",
        "version":"1.0","error":"unlucky","attempts":1,"time_ms":0,"position":"#;
    let event = format!("{{\"At\":{event}{}}}}}", serde_json::to_string(&far).unwrap());
    model.stop(&build.id, &first, &serde_json::from_str(&event).unwrap()).await.unwrap();
    let handle = database.handle().await;
    let error = handle.wait_for(&near, Duration::from_millis(50)).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    advance(&leased.shards[1], &near).await;
    handle.wait_for(&near, PATIENCE).await.unwrap();
    let error = handle.wait_for(&far, PATIENCE).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("unlucky"), "{error:?}");
}

pub(crate) async fn what_has_stopped_goes_on_when_it_is_mended(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let position = payer.pay(&*store, "a", &[1, POISON, 2]).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    assert_eq!(projector.wait_for(&position, PATIENCE).await.unwrap_err().kind(), ErrorKind::Projection);
    // As it is, it stops there again, also in a new process.
    projector.resume().await.unwrap();
    projector.shutdown().await.unwrap();
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    until("it has stopped there", async || {
        database.build(BuildState::Live).await.unwrap().shards[0].stopped.is_some()
    })
    .await;
    conduct.mend();
    projector.resume().await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    assert!(projector.passed(10).await.unwrap().is_empty());
    projector.shutdown().await.unwrap();
}

pub(crate) async fn an_event_that_cannot_be_handled_is_parked_where_that_is_wanted(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let position = payer.pay(&*store, "a", &[1, POISON, 2, POISON]).await;
    let projector = database.projector(1, &conduct).await.on_failure(OnFailure::Park);
    let projector = projector.start().await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    let rows = database.rows().await;
    assert_eq!((rows["a"].cents, rows["a"].sequence), (3, 2));
    let passed = projector.passed(10).await.unwrap();
    let sequences: Vec<_> = passed.iter().map(|passed| (passed.event.sequence, passed.skipped)).collect();
    assert_eq!(sequences, [(4, false), (2, false)]);
    projector.shutdown().await.unwrap();
}

pub(crate) async fn an_error_that_is_not_permanent_is_tried_again(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    conduct.fail(3);
    let policy = jitney::middleware::RetryPolicy::attempts(5);
    let policy = policy.between(Duration::from_millis(1), Duration::from_millis(2));
    let projector = database.projector(1, &conduct).await.retry(policy).start().await.unwrap();
    let position = payer.pay(&*store, "a", &[1]).await;
    projector.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    // More often than it is tried.
    conduct.fail(5);
    let position = payer.pay(&*store, "a", &[1]).await;
    let error = projector.wait_for(&position, PATIENCE).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("not just now"), "{error:?}");
    let stopped = stopped_at(&database.handle().await).await;
    assert_eq!(stopped.attempts, 5);
    projector.shutdown().await.unwrap();
}

pub(crate) async fn a_panic_is_an_error_that_stops_its_shard(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let policy = jitney::middleware::RetryPolicy::attempts(2);
    let policy = policy.between(Duration::from_millis(1), Duration::from_millis(2));
    let position = payer.pay(&*store, "a", &[1, PANIC, 2]).await;
    let projector = database.projector(1, &conduct).await.retry(policy).start().await.unwrap();
    let error = projector.wait_for(&position, PATIENCE).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    let stopped = stopped_at(&database.handle().await).await;
    assert_eq!((stopped.sequence, stopped.attempts), (2, 2));
    assert!(stopped.error.contains("panicked") && stopped.error.contains("nobody has so much"), "{stopped}");
    projector.shutdown().await.unwrap();
}

pub(crate) async fn another_number_of_shards_is_refused(database: &impl Database) {
    let conduct = Conduct::default();
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    let error = database.projector(1, &conduct).await.shards(2).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("it has 1 shards, and is to have 2"), "{error}");
}

pub(crate) async fn what_is_told_behind_a_commit_is_told_once_and_not_of_the_past(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay(&*store, "past", &[1, 2]).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    payer.pay(&*store, "a", &[1]).await;
    payer.pay(&*store, "b", &[1]).await;
    projector.wait_for_end(PATIENCE).await.unwrap();
    let told = || conduct.told();
    until("both are told of", async || told().len() >= 2).await;
    projector.shutdown().await.unwrap();
    database.projector(1, &conduct).await.rebuild().await.unwrap();
    assert_eq!(told(), [("a".to_owned(), 1), ("b".to_owned(), 1)], "a rebuild tells nobody");
    assert_ne!(database.store().end().await.unwrap(), Position::START);
}
