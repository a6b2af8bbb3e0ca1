//! PostgreSQL.

use std::time::Duration;

use jitney::inbox::{Begun, Inbox};
use jitney::outbox::OutboxStore;
use jitney::prelude::*;
use jitney::processed::ProcessedKey;
use jitney::sql::sqlx::{self, AssertSqlSafe, Connection, PgConnection, raw_sql};
use jitney::sql::{PostgresInbox, PostgresOutbox, PostgresStore, Tx};
use jitney::{Env, Error};
use jitney_testkit::proxy::Proxy;

use crate::events::{Placed, message, placed, shipped};
use crate::scripted::{Scripted, delivery};
use crate::service::{Service, has_handled, settled, shop, take, until};
use crate::witness::{Gate, Log};

pub(crate) struct Postgres {
    store: PostgresStore,
    url: String,
}

impl Postgres {
    async fn new() -> Self {
        let server = jitney_test_servers::postgres_url().unwrap_or_else(|error| panic!("{error}"));
        let name = format!("test_{:016x}", Env::system().random());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        raw_sql(create).execute(&mut connection).await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let service = Postgres::at(&format!("{address}/{name}")).await;
        raw_sql("CREATE TABLE handled (number bigint)").execute(service.store.pool()).await.unwrap();
        service
    }

    /// The same service behind a proxy.
    async fn behind(&self, proxy: &Proxy) -> Self {
        let (user, rest) = self.url.rsplit_once('@').unwrap();
        let (_, database) = rest.split_once('/').unwrap();
        Postgres::at(&format!("{user}@{}/{database}", proxy.address())).await
    }

    fn proxy(&self) -> Proxy {
        let (_, rest) = self.url.rsplit_once('@').unwrap();
        let (address, _) = rest.split_once('/').unwrap();
        Proxy::new("127.0.0.1:0".parse().unwrap(), address.parse().unwrap()).unwrap()
    }
}

impl Service for Postgres {
    type Tx = Tx<sqlx::Postgres>;
    type Inbox = PostgresInbox;
    type Outbox = PostgresOutbox;

    async fn at(place: &str) -> Self {
        Postgres { store: PostgresStore::connect(place).await.unwrap(), url: place.to_owned() }
    }

    fn place(&self) -> String {
        self.url.clone()
    }

    fn inbox(&self) -> PostgresInbox {
        PostgresInbox::of(&self.store)
    }

    fn outbox(&self) -> PostgresOutbox {
        PostgresOutbox::of(&self.store)
    }

    fn keeping(inbox: &PostgresInbox, event_ids: Duration, natural_keys: Option<Duration>) -> PostgresInbox {
        let inbox = inbox.clone().keep_for(event_ids);
        match natural_keys {
            Some(time) => inbox.keep_natural_keys_for(time),
            None => inbox,
        }
    }

    async fn clean(inbox: &PostgresInbox) -> Result<u64, Error> {
        inbox.clean().await
    }

    async fn write(tx: &mut Tx<sqlx::Postgres>, row: u32) -> Result<(), sqlx::Error> {
        let insert = sqlx::query("INSERT INTO handled VALUES ($1)").bind(i64::from(row));
        insert.execute(&mut **tx).await.map(drop)
    }

    async fn rows(&self) -> Vec<i64> {
        let rows = sqlx::query_scalar("SELECT number FROM handled ORDER BY number");
        rows.fetch_all(self.store.pool()).await.unwrap()
    }
}

all_checks!(Postgres);

/// The server answers the commit of a transaction in which a statement has failed by a rollback, and says nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_goes_on_behind_a_statement_that_failed_has_failed() {
    let (service, broker) = (Postgres::new().await, Scripted::new());
    let handler = |order: Placed, mut tx: Tx<sqlx::Postgres>| async move {
        Postgres::write(&mut tx, order.number).await?;
        // It swallows the error.
        let _ = sqlx::query("INSERT INTO nowhere VALUES (1)").execute(&mut *tx).await;
        Ok::<_, HandlerError>(())
    };
    let app = shop(&service, &broker, take(2), handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    settled(&broker, 1).await;
    let failure = broker.dead_letters().remove(0).failure;
    assert_eq!(failure.attempts, 2);
    assert!(
        failure.error.contains("one of its statements has failed, and the handler went on"),
        "{failure:?}"
    );
    assert!(service.rows().await.is_empty() && !has_handled(&service, "e-0").await);
    app.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_killed_before_the_commit_has_handled_nothing_and_the_next_attempt_does() {
    let (service, broker, log) = (Postgres::new().await, Scripted::new(), Log::<u32>::new());
    let handler = {
        let (log, other) = (log.clone(), service.store.pool().clone());
        move |order: Placed, mut tx: Tx<sqlx::Postgres>| {
            let (log, other) = (log.clone(), other.clone());
            async move {
                Postgres::write(&mut tx, order.number).await?;
                if log.count(order.number) == 0 {
                    let me: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *tx).await?;
                    let killed: bool = sqlx::query_scalar("SELECT pg_terminate_backend($1, 30000)")
                        .bind(me)
                        .fetch_one(&other)
                        .await?;
                    assert!(killed);
                }
                Ok::<_, HandlerError>(())
            }
        }
    };
    let app = shop(&service, &broker, take(5), handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    settled(&broker, 1).await;
    assert!(broker.dead_letters().is_empty(), "{:?}", broker.dead_letters());
    assert_eq!((service.rows().await, log.all()), (vec![7], vec![7, 7]));
    assert!(has_handled(&service, "e-0").await);
    app.shutdown().await.unwrap();
}

/// The commit takes effect, and its answer never comes: the mark says so, and the only attempt was none that failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_found_out_by_the_mark() {
    let (service, broker, log) = (Postgres::new().await, Scripted::new(), Log::<u32>::new());
    let proxy = service.proxy();
    let (behind, gate) = (service.behind(&proxy).await, Gate::closed());
    let handler = {
        let (log, gate) = (log.clone(), gate.clone());
        move |order: Placed, mut tx: Tx<sqlx::Postgres>| {
            let (log, gate) = (log.clone(), gate.clone());
            async move {
                Postgres::write(&mut tx, order.number).await?;
                log.add(order.number);
                gate.pass().await;
                Ok::<_, HandlerError>(())
            }
        }
    };
    let app = shop(&behind, &broker, take(1), handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    until("the handler is at work", async || log.len() == 1).await;
    proxy.hold_answers_from(|request| request.windows(6).any(|word| word == b"COMMIT"));
    gate.let_through(1);
    until("the commit has taken effect", async || service.rows().await == [7]).await;
    assert!(proxy.is_disturbed() && broker.settled().is_empty());
    proxy.cut();
    proxy.restore();
    settled(&broker, 1).await;
    assert!(broker.dead_letters().is_empty(), "{:?}", broker.dead_letters());
    assert_eq!((service.rows().await, log.all()), (vec![7], vec![7]));
    until("it is counted", async || app.stats()["shop.take"].handled == 1).await;
    app.shutdown().await.unwrap();
}

/// The commit does not reach the server, which the application cannot know: there is no mark, and the event is handled again.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_lost_is_found_out_by_the_mark_that_is_missing() {
    let (service, broker, log) = (Postgres::new().await, Scripted::new(), Log::<u32>::new());
    let proxy = service.proxy();
    let (behind, gate) = (service.behind(&proxy).await, Gate::closed());
    let handler = {
        let (log, gate) = (log.clone(), gate.clone());
        move |order: Placed, mut tx: Tx<sqlx::Postgres>| {
            let (log, gate) = (log.clone(), gate.clone());
            async move {
                Postgres::write(&mut tx, order.number).await?;
                log.add(order.number);
                gate.pass().await;
                Ok::<_, HandlerError>(())
            }
        }
    };
    let app = shop(&behind, &broker, take(5), handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    until("the handler is at work", async || log.len() == 1).await;
    proxy.stall_from(|request| request.windows(6).any(|word| word == b"COMMIT"));
    gate.let_through(2);
    until("the commit is sent", async || proxy.is_disturbed()).await;
    proxy.cut();
    proxy.restore();
    settled(&broker, 1).await;
    assert!(broker.dead_letters().is_empty(), "{:?}", broker.dead_letters());
    assert_eq!((service.rows().await, log.all()), (vec![7], vec![7, 7]));
    app.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_ends_its_transaction_has_failed() {
    let (service, broker) = (Postgres::new().await, Scripted::new());
    let handler = |order: Placed, mut tx: Tx<sqlx::Postgres>| async move {
        let statement = if order.number == 7 { "ROLLBACK" } else { "ROLLBACK; BEGIN" };
        raw_sql(statement).execute(&mut *tx).await?;
        Ok::<_, HandlerError>(shipped(&order.order, order.number))
    };
    let app = shop(&service, &broker, take(2), handler).await;
    broker.deliver_events(1, 0, &[placed("a", 7), placed("a", 8)]);
    settled(&broker, 2).await;
    for dead in broker.dead_letters() {
        assert!(dead.failure.error.contains("it was ended meanwhile"), "{:?}", dead.failure);
    }
    assert_eq!(broker.dead_letters().len(), 2);
    assert_eq!(service.outbox().backlog().await.unwrap().pending, 0);
    app.shutdown().await.unwrap();
}

/// The server goes on with a statement that nobody waits for any more, and its connection is of no use until it ends.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_behind_a_mark_lets_go_of_the_connection() {
    let service = Postgres::new().await;
    let (inbox, keys) = (service.inbox(), [ProcessedKey::event_id("e-0")]);
    let first = inbox.begin("shop.take", &keys).await.unwrap();
    let error = inbox.begin("shop.take", &keys).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    drop(first);
    let Begun { unit, handled } = inbox.begin("shop.take", &keys).await.unwrap();
    assert_eq!(handled, [false]);
    unit.commit(Vec::new()).await.unwrap();
}

/// The limit is for the mark, and the handler has the one of its session.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_has_the_lock_timeout_of_its_session() {
    let (service, broker, log) = (Postgres::new().await, Scripted::new(), Log::<String>::new());
    let handler = {
        let log = log.clone();
        move |_: Placed, mut tx: Tx<sqlx::Postgres>| {
            let log = log.clone();
            async move {
                let query = sqlx::query_scalar("SELECT current_setting('lock_timeout')");
                log.add(query.fetch_one(&mut *tx).await?);
                Ok::<_, HandlerError>(())
            }
        }
    };
    let options = service.store.pool().connect_options().as_ref().clone().options([("lock_timeout", "7s")]);
    let pool = sqlx::postgres::PgPoolOptions::new().connect_with(options).await.unwrap();
    let other = Postgres { store: PostgresStore::from_pool(pool).await.unwrap(), url: service.place() };
    let app = shop(&other, &broker, take(1), handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    settled(&broker, 1).await;
    assert_eq!(log.all(), ["7s"]);
    app.shutdown().await.unwrap();
}
