//! Events that come by a bus while something in between breaks: a database that cuts its connections, a handler that never ends,
//! a bus that keeps no order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::event::EventType;
use jitney::handler::{HandlerError, HandlerSpec};
use jitney::memory::{Memory, Semantics};
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::sourcing::projection::{BusProjector, OnBusFailure};
use jitney::sourcing::{Filter, MemoryReadModel, Projecting, StoredEvent};
use jitney::transport::Start;

use crate::bus::{Payment, Post, has_stopped, rows};
use crate::setting::{Conduct, PATIENCE, POISON, PurseEvent, Row, Rows, stopped_at, until};

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cuts_its_connections_loses_and_repeats_nothing() {
    use jitney::sql::sqlx::query;

    use crate::bus::projector;
    use crate::postgres::Postgres;
    use crate::setting::Database;

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

    use crate::bus::projector;
    use crate::postgres::Postgres;
    use crate::setting::Database;

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

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_marks_for_good_stops_the_projection_and_gives_nothing_up() {
    use jitney::sql::sqlx::raw_sql;

    use crate::bus::projector;
    use crate::postgres::Postgres;
    use crate::setting::Database;

    const BREAK: &str = "CREATE FUNCTION jitney.refuse() RETURNS trigger LANGUAGE plpgsql \
                         AS $$ BEGIN RAISE EXCEPTION 'no marks here'; END $$; \
                         CREATE TRIGGER refuse BEFORE INSERT ON jitney.projection_streams \
                         FOR EACH ROW EXECUTE FUNCTION jitney.refuse()";
    const MEND: &str = "DROP TRIGGER refuse ON jitney.projection_streams; DROP FUNCTION jitney.refuse()";

    let (database, memory) = (Postgres::new().await, Memory::new());
    let post = Post::new(&Bus::builder(memory.connect()).build());
    let mut sent = Vec::new();
    for batch in [1, 5] {
        let projection =
            projector(&database, &Conduct::default()).await.batch(batch).prepare().await.unwrap();
        let app = App::new("reports", Bus::builder(memory.connect()).build())
            .handlers(projection.handlers(HandlerSpec::new("purses")))
            .on_dead_letter(|letter| panic!("{letter:?}"))
            .spawn()
            .await
            .unwrap();
        raw_sql(BREAK).execute(&database.readers).await.unwrap();
        // Of one stream: no other is tried beside the one at which it stops.
        let before = sent.len() as u64;
        sent.extend((1..=3).map(|number| Payment::new("a", before + number, 5)));
        post.send(sent.iter().skip(sent.len() - 3)).await;
        let error = projection.wait_for(sent[sent.len() - 1].mark(), PATIENCE).await.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("no marks here"), "{error:?}");
        let handle = projection.handle();
        let stopped = stopped_at(&handle).await;
        // What is skipped while the database refuses stops it again.
        handle.skip(&stopped.event_id).await.unwrap();
        until("it stops again", async || has_stopped(&handle).await).await;
        raw_sql(MEND).execute(&database.readers).await.unwrap();
        handle.resume().await.unwrap();
        until("the bus is empty", async || memory.pending("reports.purses") == 0).await;
        app.shutdown().await.unwrap();
    }
    assert_eq!(database.rows().await, rows(&sent));
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

/// Hangs at what cannot be handled.
struct Hanging(Conduct);

impl Projection for Hanging {
    type Connection = Rows;

    fn name(&self) -> &str {
        "hanging"
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    fn event_types(&self) -> Vec<&'static EventType> {
        PurseEvent::accepts()
    }

    async fn apply(&self, event: &StoredEvent, at: &mut Projecting<'_, Rows>) -> Result<(), HandlerError> {
        let Ok(cents) = self.0.cents(event) else { std::future::pending().await };
        let row = at.connection().entry(event.head().aggregate_id.to_string()).or_default();
        *row = Row { cents: row.cents + cents, sequence: row.sequence + 1 };
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_batch_that_hangs_takes_the_attempts_of_no_other() {
    for on_failure in [OnBusFailure::DeadLetter, OnBusFailure::Stop] {
        let (memory, model) = (Memory::builder().partitions(1).build(), MemoryReadModel::<Rows>::new());
        let hanging = BusProjector::new(model.clone(), Hanging(Conduct::default()))
            .batch(20)
            .on_failure(on_failure)
            .retry(RetryPolicy::attempts(3))
            .prepare()
            .await
            .unwrap();
        let all: Vec<_> =
            [("a", 1, 1), ("b", 1, POISON), ("b", 2, 2), ("a", 2, 3), ("c", 1, POISON), ("d", 1, 4)]
                .map(|(purse, sequence, cents)| Payment::new(purse, sequence, cents))
                .into();
        // All have come before there is anybody, so they are in one batch.
        let spec = HandlerSpec::new("hanging").timeout(Duration::from_secs(2));
        let dead = Arc::new(Mutex::new(Vec::new()));
        let letters = Arc::clone(&dead);
        let app = App::new("reports", Bus::builder(memory.connect()).build())
            .start_at(Start::Earliest)
            .handlers(hanging.handlers(spec))
            .on_dead_letter(move |letter| letters.lock().unwrap().push(letter.failure.clone()));
        Post::new(&Bus::builder(memory.connect()).build()).send(&all).await;
        let app = app.spawn().await.unwrap();
        if on_failure == OnBusFailure::Stop {
            let handle = hanging.handle();
            for stop in [&all[1], &all[4]] {
                until("it stops", async || has_stopped(&handle).await).await;
                let stopped = stopped_at(&handle).await;
                assert_eq!(stopped.aggregate_id, stop.purse, "{stopped:?}");
                assert!(stopped.error.contains("cut short"), "{stopped:?}");
                handle.skip(&stopped.event_id).await.unwrap();
            }
        }
        until("the bus is empty", async || memory.pending("reports.hanging") == 0).await;
        let handled = [0, 2, 3, 5].map(|index| &all[index]);
        assert_eq!(model.read("hanging", Clone::clone), Some(rows(handled)));
        let dead = dead.lock().unwrap().clone();
        let expected = if on_failure == OnBusFailure::Stop { 0 } else { 2 };
        assert_eq!(dead.len(), expected, "{dead:?}");
        assert!(
            dead.iter().all(|failure| failure.attempts == 3 && failure.error.contains("time limit")),
            "{dead:?}"
        );
        app.shutdown().await.unwrap();
    }
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
