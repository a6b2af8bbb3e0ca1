//! Events that come by a bus while something in between breaks: a database that cuts its connections, a handler that never ends,
//! a bus that keeps no order.

use std::time::Duration;

use jitney::event::EventType;
use jitney::handler::{HandlerError, HandlerSpec};
use jitney::memory::{Memory, Semantics};
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::sourcing::projection::{BusProjector, OnBusFailure};
use jitney::sourcing::{Filter, MemoryReadModel, Projecting, StoredEvent};

use crate::bus::{Payment, Post};
use crate::setting::{PurseEvent, until};

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cuts_its_connections_loses_and_repeats_nothing() {
    use jitney::sql::sqlx::query;

    use crate::bus::{projector, rows};
    use crate::postgres::Postgres;
    use crate::setting::{Conduct, Database};

    const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";

    let (database, conduct, memory) = (Postgres::new().await, Conduct::default(), Memory::new());
    let projection = projector(&database, &conduct).await.retry(RetryPolicy::attempts(10));
    let projection = projection.prepare().await.unwrap();
    let app = App::new("reports", Bus::builder(memory.connect()).build())
        .handlers(projection.handlers(HandlerSpec::new("purses")))
        .on_dead_letter(|letter| panic!("{letter:?}"))
        .spawn()
        .await
        .unwrap();
    let purse = |number: u64| format!("p{}", number % 7);
    let all: Vec<_> = (0..140)
        .map(|number| Payment::new(&purse(number), (number % 7 < 4).then_some(1 + number / 7), 1))
        .collect();
    let post = Post::new(&Bus::builder(memory.connect()).build());
    for part in all.chunks(35) {
        let before = conduct.handled();
        post.send(part).await;
        until("some are handled", async || conduct.handled() > before + 5).await;
        query(CUT).execute(&database.readers).await.unwrap();
    }
    until("all are handled", async || database.rows().await == rows(&all)).await;
    until("the bus is empty", async || memory.pending("reports.purses") == 0).await;
    app.shutdown().await.unwrap();
    assert_eq!(database.rows().await, rows(&all), "none lost, none twice");
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_makes_no_dead_letter() {
    use jitney::sql::sqlx::{Connection, PgConnection, query};

    use crate::bus::{projector, rows};
    use crate::postgres::Postgres;
    use crate::setting::{Conduct, Database};

    let (database, conduct, memory) = (Postgres::new().await, Conduct::default(), Memory::new());
    let projection = projector(&database, &conduct).await.retry(RetryPolicy::attempts(1));
    let projection = projection.answer_within(Duration::from_millis(100)).prepare().await.unwrap();
    let app = App::new("reports", Bus::builder(memory.connect()).build())
        .handlers(projection.handlers(HandlerSpec::new("purses").timeout(Duration::from_secs(10))))
        .on_dead_letter(|letter| panic!("{letter:?}"))
        .spawn()
        .await
        .unwrap();
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    query("LOCK TABLE jitney.projection_streams").execute(&mut *lock).await.unwrap();
    let all = [Payment::new("a", 1, 5)];
    Post::new(&Bus::builder(memory.connect()).build()).send(&all).await;
    until("it was tried three times", async || app.stats()["reports.purses"].retried >= 3).await;
    lock.rollback().await.unwrap();
    until("it is handled", async || database.rows().await == rows(&all)).await;
    until("the bus is empty", async || memory.pending("reports.purses") == 0).await;
    app.shutdown().await.unwrap();
}

/// A projection whose handler never ends.
struct Endless;

impl Projection for Endless {
    type Connection = u64;

    fn name(&self) -> &str {
        "endless"
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    fn event_types(&self) -> Vec<&'static EventType> {
        PurseEvent::accepts()
    }

    async fn apply(&self, _: &StoredEvent, _: &mut Projecting<'_, u64>) -> Result<(), HandlerError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_are_cut_short_stop_a_projection_that_is_to_stop() {
    let memory = Memory::new();
    let endless = BusProjector::new(MemoryReadModel::new(), Endless)
        .on_failure(OnBusFailure::Stop)
        .retry(RetryPolicy::attempts(3))
        .prepare()
        .await
        .unwrap();
    let spec = HandlerSpec::new("endless").timeout(Duration::from_millis(20));
    let app = App::new("reports", Bus::builder(memory.connect()).build())
        .handlers(endless.handlers(spec))
        .on_dead_letter(|letter| panic!("{letter:?}"));
    let app = app.spawn().await.unwrap();
    let payment = Payment::new("a", 1, 1);
    Post::new(&Bus::builder(memory.connect()).build()).send([&payment]).await;
    let error = endless.wait_for(payment.mark(), Duration::from_secs(60)).await.unwrap_err();
    assert!(error.to_string().contains("every attempt was cut short"), "{error}");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_bus_without_order_is_refused_unless_any_order_will_do() {
    let spawn = async |any_order: bool| {
        let memory = Memory::builder().semantics(Semantics::EventBridge).build();
        let projector = BusProjector::new(MemoryReadModel::new(), Endless);
        let projector = if any_order { projector.any_order() } else { projector };
        let endless = projector.prepare().await.unwrap();
        let handlers = endless.handlers(HandlerSpec::new("endless"));
        App::new("reports", Bus::builder(memory).build()).handlers(handlers).spawn().await
    };
    let error = spawn(false).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("needs the events of a key in order"), "{error}");
    spawn(true).await.unwrap().shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_that_the_filter_is_not_for_is_left_alone() {
    /// For what is in safes.
    struct OfOthers;

    impl Projection for OfOthers {
        type Connection = u64;

        fn name(&self) -> &str {
            "of_others"
        }

        fn filter(&self) -> Filter {
            Filter::of::<PurseEvent>().aggregate_types(["Safe"])
        }

        fn event_types(&self) -> Vec<&'static EventType> {
            PurseEvent::accepts()
        }

        async fn apply(&self, _: &StoredEvent, _: &mut Projecting<'_, u64>) -> Result<(), HandlerError> {
            panic!("it is for no purse")
        }
    }

    let memory = Memory::new();
    let others = BusProjector::new(MemoryReadModel::new(), OfOthers).prepare().await.unwrap();
    let app = App::new("reports", Bus::builder(memory.connect()).build())
        .handlers(others.handlers(HandlerSpec::new("others")))
        .on_dead_letter(|letter| panic!("{letter:?}"));
    let app = app.spawn().await.unwrap();
    Post::new(&Bus::builder(memory.connect()).build()).send([&Payment::new("a", 1, 1)]).await;
    until("it is done", async || app.stats()["reports.others"].handled == 1).await;
    until("the bus is empty", async || memory.pending("reports.others") == 0).await;
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_projection_that_names_no_event_types_is_refused() {
    struct Mute;

    impl Projection for Mute {
        type Connection = u64;

        fn name(&self) -> &str {
            "mute"
        }

        fn filter(&self) -> Filter {
            Filter::all()
        }

        async fn apply(&self, _: &StoredEvent, _: &mut Projecting<'_, u64>) -> Result<(), HandlerError> {
            Ok(())
        }
    }

    let error = BusProjector::new(MemoryReadModel::new(), Mute).prepare().await.map(drop).unwrap_err();
    assert!(error.to_string().contains("it names no event types to subscribe to"), "{error}");
}
