//! Builds: a read model is made anew beside the old one, and takes its place.

use std::time::Duration;

use jitney::sourcing::projection::{BuildState, NewBuild, ReadModelTransaction};
use jitney::sourcing::{ErrorKind, Position, ReadModel};

use crate::setting::{Conduct, Database, PATIENCE, POISON, Payer, until, until_at_rest};

pub(crate) async fn a_higher_version_is_built_beside_and_takes_its_place(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay_all(&*store, 4, 3).await;
    let old = database.projector(1, &conduct).await.start().await.unwrap();
    old.wait_for_end(PATIENCE).await.unwrap();
    let new = database.projector(2, &conduct).await.batch(3).start().await.unwrap();
    until("the new version is live", async || {
        database.build(BuildState::Live).await.is_some_and(|build| build.version == 2)
    })
    .await;
    assert!(database.build(BuildState::Next).await.is_none());
    let position = payer.pay_all(&*store, 4, 1).await;
    new.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(2));
    old.shutdown().await.unwrap();
    new.shutdown().await.unwrap();
}

pub(crate) async fn a_rebuild_leaves_readers_what_they_had_until_it_is_done(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    conduct.mend();
    payer.pay_all(&*store, 5, 10).await;
    payer.pay(&*store, "late", &[POISON]).await;
    let old = database.projector(1, &conduct).await.start().await.unwrap();
    old.wait_for_end(PATIENCE).await.unwrap();
    // One that gets stuck short of its end: it is there, half built, and nobody sees it.
    let stuck = database.projector(2, &Conduct::default()).await.batch(7).rebuild().await;
    assert_eq!(stuck.unwrap_err().kind(), ErrorKind::Projection);
    let next = database.build(BuildState::Next).await.unwrap();
    assert_eq!((next.shards[0].handled, database.rows().await), (50, payer.rows(1)));
    let rebuild = database.projector(2, &conduct).await.batch(7);
    let rebuild = rebuild.poll_every(Duration::from_millis(5)).rebuild();
    let mut rebuild = std::pin::pin!(rebuild);
    let mut seen = (1, 0);
    loop {
        // A payment, a wait, a look; the rebuild goes on meanwhile.
        let turn = async {
            let position = payer.pay(&*store, "p1", &[1]).await;
            database.handle().await.wait_for(&position, PATIENCE).await.unwrap();
            database.rows().await
        };
        let rows = tokio::select! {
            biased;
            done = &mut rebuild => {
                done.unwrap();
                break;
            }
            rows = turn => rows,
        };
        let sequence = rows["p1"].sequence;
        let version = if rows["p1"].cents == sequence { 1 } else { 2 };
        assert_eq!(rows["p1"].cents, sequence * version, "half of each: {rows:?}");
        assert!((version, sequence) >= seen, "{:?} behind {seen:?}", (version, sequence));
        assert!(rows.len() == 6 && rows["p2"].sequence == 10, "half built: {rows:?}");
        seen = (version, sequence);
    }
    old.shutdown().await.unwrap();
    let new = database.projector(2, &conduct).await.start().await.unwrap();
    new.wait_for_end(PATIENCE).await.unwrap();
    let rows = database.rows().await;
    assert_eq!(rows["p1"].cents, rows["p1"].sequence * 2);
    assert!(rows["p1"].sequence >= seen.1);
    new.shutdown().await.unwrap();
}

pub(crate) async fn a_rebuild_changes_the_number_of_shards(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay_all(&*store, 8, 2).await;
    let old = database.projector(1, &conduct).await.shards(3).batch(4).start().await.unwrap();
    old.wait_for_end(PATIENCE).await.unwrap();
    old.shutdown().await.unwrap();
    for shards in [5, 1] {
        database.projector(1, &conduct).await.shards(shards).rebuild().await.unwrap();
        let projector = database.projector(1, &conduct).await.shards(shards).start().await.unwrap();
        let position = payer.pay_all(&*store, 8, 1).await;
        projector.wait_for(&position, PATIENCE).await.unwrap();
        assert_eq!(database.rows().await, payer.rows(1));
        projector.shutdown().await.unwrap();
    }
    // The last payments, and nothing that was handled in a rebuild.
    assert_eq!(conduct.told().len(), 16);
}

pub(crate) async fn a_rebuild_that_stops_says_where_and_goes_on_later(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    conduct.mend();
    payer.pay(&*store, "a", &[1, POISON, 2]).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    projector.wait_for_end(PATIENCE).await.unwrap();
    projector.shutdown().await.unwrap();
    let before = database.rows().await;
    let broken = Conduct::default();
    let error = database.projector(2, &broken).await.rebuild().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Projection);
    assert!(error.to_string().contains("event 2 of stream Purse/a"), "{error}");
    assert_eq!(database.rows().await, before, "readers have the old one");
    let number = database.build(BuildState::Next).await.unwrap().id.number;
    database.projector(2, &conduct).await.rebuild().await.unwrap();
    assert_eq!(database.build(BuildState::Live).await.unwrap().id.number, number, "the same one");
    assert_eq!(database.rows().await, payer.rows(2));
}

pub(crate) async fn an_older_version_waits(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    let new = database.projector(2, &conduct).await.start().await.unwrap();
    let idle = Conduct::default();
    let old = database.projector(1, &idle).await.start().await.unwrap();
    let position = payer.pay(&*store, "a", &[1]).await;
    old.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!((database.rows().await, idle.handled()), (payer.rows(2), 0));
    let error = database.projector(1, &idle).await.rebuild().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    old.shutdown().await.unwrap();
    new.shutdown().await.unwrap();
}

pub(crate) async fn a_rebuild_does_not_overtake_the_live_build(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    let position = payer.pay(&*store, "a", &[1]).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    projector.shutdown().await.unwrap();
    // What comes now was handled by nobody: the next build leaves it to the time when it is live.
    let before = database.rows().await;
    let position = payer.pay(&*store, "a", &[2, 3]).await;
    database.projector(1, &conduct).await.rebuild().await.unwrap();
    assert_eq!(database.rows().await, before);
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    projector.shutdown().await.unwrap();
    let told: Vec<_> = conduct.told().into_iter().map(|(_, sequence)| sequence).collect();
    assert_eq!((database.rows().await, told), (payer.rows(1), vec![1, 2, 3]));
}

pub(crate) async fn a_rebuild_of_what_is_paused_is_paused_too(database: &impl Database) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay(&*store, "a", &[1]).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    projector.wait_for_end(PATIENCE).await.unwrap();
    projector.pause().await.unwrap();
    let rebuild = database.projector(2, &conduct).await.rebuild();
    let resume = async {
        until("there is a new build", async || database.build(BuildState::Next).await.is_some()).await;
        assert!(database.build(BuildState::Next).await.unwrap().paused);
        projector.resume().await.unwrap();
    };
    let (rebuilt, ()) = tokio::join!(rebuild, resume);
    rebuilt.unwrap();
    assert_eq!(database.rows().await, payer.rows(2));
    projector.shutdown().await.unwrap();
}

pub(crate) async fn a_build_that_is_being_made_is_not_made_again(database: &impl Database) {
    let conduct = Conduct::default();
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    let model = database.model().await;
    let build = |version| NewBuild {
        projection: "purses".to_owned(),
        state: BuildState::Next,
        version,
        shards: 1,
        live_from: Position::START,
    };
    // What two that begin at the same time do, one behind the other.
    model.begin_build(&build(2)).await.unwrap().unwrap().commit().await.unwrap();
    let number = database.build(BuildState::Next).await.unwrap().id.number;
    for version in [1, 2] {
        assert!(model.begin_build(&build(version)).await.unwrap().is_none(), "{version}");
    }
    assert_eq!(database.build(BuildState::Next).await.unwrap().id.number, number);
    model.begin_build(&build(3)).await.unwrap().unwrap().commit().await.unwrap();
    assert_eq!(database.build(BuildState::Next).await.unwrap().version, 3);
}

pub(crate) async fn a_version_that_takes_over_in_the_past_tells_nobody_of_it(database: &impl Database) {
    takes_over_in_the_past(database, 1).await;
}

pub(crate) async fn a_version_of_fewer_shards_that_takes_over_in_the_past_tells_nobody_of_it(
    database: &impl Database,
) {
    takes_over_in_the_past(database, 3).await;
}

async fn takes_over_in_the_past(database: &impl Database, shards: u16) {
    let (store, conduct, mut payer) = (database.store(), Conduct::default(), Payer::default());
    payer.pay_all(&*store, 6, 1).await;
    payer.pay(&*store, "a", &[1, POISON, 3]).await;
    payer.pay_all(&*store, 6, 1).await;
    let old = database.projector(1, &Conduct::default()).await.shards(shards).start().await.unwrap();
    assert_eq!(old.wait_for_end(PATIENCE).await.unwrap_err().kind(), ErrorKind::Projection);
    until_at_rest(&database.handle().await, &*store).await;
    old.shutdown().await.unwrap();
    conduct.mend();
    let new = database.projector(2, &conduct).await.start().await.unwrap();
    until("the mended version is live", async || {
        database.build(BuildState::Live).await.is_some_and(|build| build.version == 2)
    })
    .await;
    new.wait_for_end(PATIENCE).await.unwrap();
    let position = payer.pay(&*store, "a", &[4]).await;
    new.wait_for(&position, PATIENCE).await.unwrap();
    new.shutdown().await.unwrap();
    assert_eq!(database.rows().await, payer.rows(2));
    assert_eq!(conduct.told(), [("a".to_owned(), 4)], "only of what came later");
}
