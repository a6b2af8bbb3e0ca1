//! From a real Kafka into real databases, while members come and go and events come again.

use jitney::Env;
use jitney::app::RunningApp;
use jitney::handler::HandlerSpec;
use jitney::prelude::*;
use jitney::sourcing::projection::{BusProjection, BusReadModel};
use jitney::transport::Start;

use crate::bus::{Payment, Post, each_once, projector, rows};
use crate::postgres::Postgres;
use crate::setting::{Conduct, Database, PATIENCE, Rows, until};
use crate::sqlite::Sqlite;

async fn bus() -> Bus {
    let url = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
    Bus::connect(&format!("{url}/?commit_interval=50ms&session.timeout.ms=6000")).await.unwrap()
}

async fn app<D>(name: &str, projection: &BusProjection<D::Purses, D::Model>) -> App
where
    D: Database<Model: BusReadModel>,
{
    let handlers = projection.handlers(HandlerSpec::new("purses"));
    App::new(name, bus().await).handlers(handlers).start_at(Start::Earliest)
}

async fn member<D>(name: &str, projection: &BusProjection<D::Purses, D::Model>) -> RunningApp
where
    D: Database<Model: BusReadModel>,
{
    app::<D>(name, projection).await.spawn().await.unwrap()
}

/// Topics outlive a run: its purses are those that begin with `run`.
async fn of_run(database: &impl Database, run: &str) -> Rows {
    let mut rows = database.rows().await;
    rows.retain(|purse, _| purse.starts_with(run));
    rows
}

async fn is_handled_once<D>(database: D)
where
    D: Database<Model: BusReadModel>,
{
    let (run, conduct) = (format!("r{:016x}", Env::system().random()), Conduct::default());
    let (sender, group) = (bus().await, format!("reports-{run}"));
    let post = Post::new(&sender);
    let payments = |numbers: std::ops::RangeInclusive<u64>| {
        let purse = |purse: u64| format!("{run}-{purse}");
        let payment = |number, of| Payment::new(&purse(of), (of < 6).then_some(number), 1);
        numbers
            .flat_map(|number| (0..8).map(move |of| (number, of)))
            .map(|(number, of)| payment(number, of))
            .collect::<Vec<_>>()
    };
    let projection = projector(&database, &conduct).await.prepare().await.unwrap();
    app::<D>(&group, &projection).await.provision().await.unwrap();
    let mut all = payments(1..=10);
    post.send(&all).await;
    let first = member::<D>(&group, &projection).await;
    until("the first half is there", async || of_run(&database, &run).await == rows(&all)).await;
    // Another process comes, the first one goes, and what was handled comes again among what was not.
    let other = projector(&database, &conduct).await.prepare().await.unwrap();
    let second = member::<D>(&group, &other).await;
    let more = payments(11..=20);
    post.send(all.iter().chain(&more).chain(&all)).await;
    all.extend(more);
    projection.wait_for(all[0].mark(), PATIENCE).await.unwrap();
    first.shutdown().await.unwrap();
    post.send(&all).await;
    until("all are there", async || of_run(&database, &run).await == rows(&all)).await;
    second.shutdown().await.unwrap();
    // A group that is new, as one whose offsets were lost, reads the topic from its start.
    let third = member::<D>(&format!("{group}-anew"), &projection).await;
    let last = Payment::new(&format!("{run}-0"), 21, 1);
    post.send([&last]).await;
    all.push(last);
    projection.wait_for(all[all.len() - 1].mark(), PATIENCE).await.unwrap();
    third.shutdown().await.unwrap();
    assert_eq!(of_run(&database, &run).await, rows(&all), "none lost, none twice");
    assert!(each_once(&conduct.told()), "{:?}", conduct.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_kafka_is_in_postgres_once() {
    is_handled_once(Postgres::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_kafka_is_in_sqlite_once() {
    is_handled_once(Sqlite::new().await).await;
}
