//! PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jitney::DomainEvent;
use jitney::event::EventType;
use jitney::handler::HandlerError;
use jitney::outbox::OutboxStore;
use jitney::sourcing::projection::{BuildState, ReadModelTransaction, ShardLease, Step, Stopped};
use jitney::sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, Filter, NewEvent, OnFailure, Projecting,
    Projection, ProjectionHandle, Projector, ReadModel, ReadStream, StoredEvent, StreamId,
    TransactionalStore,
};
use jitney::sql::sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool, query, query_as, query_scalar, raw_sql,
};
use jitney::sql::{PostgresOutbox, PostgresReadModel, PostgresStore};
use jitney::{Env, Id};

use crate::inline::{DurableInlineDatabase, InlineDatabase};
use crate::setting::{Conduct, Database, PATIENCE, Payer, PurseEvent, Row, Rows, until};

pub(crate) struct Postgres {
    pub(crate) url: String,
    store: PostgresStore,
    /// One connection, whose prepared statements outlive a swap.
    pub(crate) readers: PgPool,
}

pub(crate) struct Purses {
    version: u32,
    conduct: Conduct,
}

impl Projection for Purses {
    type Connection = PgConnection;

    fn name(&self) -> &str {
        "purses"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    fn event_types(&self) -> Vec<&'static EventType> {
        PurseEvent::accepts()
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), HandlerError> {
        let sql =
            "CREATE TABLE totals (purse text PRIMARY KEY, cents bigint NOT NULL, sequence bigint NOT NULL)";
        query(sql).execute(connection).await?;
        Ok(())
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, PgConnection>,
    ) -> Result<(), HandlerError> {
        let cents = self.conduct.cents(event)? * u64::from(self.version);
        let sql = "INSERT INTO totals AS t (purse, cents, sequence) VALUES ($1, $2, 1) \
                   ON CONFLICT (purse) DO UPDATE SET cents = t.cents + $2, sequence = t.sequence + 1";
        let insert = query(sql).bind(&*event.head().aggregate_id).bind(i64::try_from(cents)?);
        insert.execute(at.connection()).await?;
        Ok(())
    }

    async fn after_commit(&self, events: &[StoredEvent]) {
        self.conduct.tell(events);
    }
}

impl Database for Postgres {
    type Model = PostgresReadModel;
    type Purses = Purses;

    async fn new() -> Self {
        let server = jitney_test_servers::postgres_url().unwrap_or_else(|error| panic!("{error}"));
        let name = format!("test_{:016x}", Env::system().random());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        raw_sql(create).execute(&mut connection).await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let url = format!("{address}/{name}");
        let store = PostgresStore::builder(&url).max_connections(6).connect().await.unwrap();
        let readers = jitney::sql::sqlx::postgres::PgPoolOptions::new().max_connections(1);
        let readers = readers.connect(&url).await.unwrap();
        Postgres { url, store, readers }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }

    async fn model(&self) -> PostgresReadModel {
        PostgresReadModel::of(&self.store)
    }

    fn purses(&self, version: u32, conduct: &Conduct) -> Purses {
        Purses { version, conduct: conduct.clone() }
    }

    async fn rows(&self) -> Rows {
        let sql = "SELECT purse, cents, sequence FROM purses.totals";
        let rows: Vec<(String, i64, i64)> = query_as(sql).fetch_all(&self.readers).await.unwrap();
        let row = |(purse, cents, sequence): (String, i64, i64)| {
            (purse, Row { cents: cents.unsigned_abs(), sequence: sequence.unsigned_abs() })
        };
        rows.into_iter().map(row).collect::<BTreeMap<_, _>>()
    }
}

all_checks!(Postgres);
bus_checks!(Postgres);
inline_checks!(Postgres);
durable_inline_checks!(Postgres, "postgres");

impl InlineDatabase for Postgres {
    type Store = PostgresStore;

    async fn open(&self, inline: Option<(u32, &Conduct)>) -> Result<PostgresStore, Error> {
        Self::open_at(&self.place(), inline).await
    }

    async fn outbox(&self, store: &PostgresStore) -> u64 {
        PostgresOutbox::of(store).backlog().await.unwrap().pending
    }
}

impl DurableInlineDatabase for Postgres {
    fn place(&self) -> String {
        self.url.clone()
    }

    async fn open_at(place: &str, inline: Option<(u32, &Conduct)>) -> Result<PostgresStore, Error> {
        let builder = PostgresStore::builder(place).max_connections(4).outbox(Filter::all());
        match inline {
            Some((version, conduct)) => {
                builder.inline(Purses { version, conduct: conduct.clone() }).connect().await
            }
            None => builder.connect().await,
        }
    }

    async fn append_in(
        store: &PostgresStore,
        appends: Vec<Append>,
        commit: bool,
    ) -> Vec<Result<Appended, Error>> {
        let mut transaction = store.pool().begin().await.unwrap();
        let mut all = Vec::new();
        for append in appends {
            all.push(store.append_in(&mut transaction, append).await);
            // The caller's own statements find what they found before.
            let settings =
                "SELECT current_setting('search_path'), coalesce(current_setting('jitney.inline', true), '')";
            let settings: (String, String) = query_as(settings).fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(settings, ("\"$user\", public".to_owned(), String::new()));
        }
        if commit {
            transaction.commit().await.unwrap();
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_is_enough_to_become_inline() {
    let (database, conduct, mut payer) = (Postgres::new().await, Conduct::default(), Payer::default());
    payer.pay_all(&database.store, 3, 2).await;
    let purses = database.purses(1, &conduct);
    let builder = PostgresStore::builder(&database.url).max_connections(1).inline(purses);
    let store = builder.acquire_timeout(Duration::from_secs(5)).connect().await.unwrap();
    payer.pay(&store, "p1", &[7]).await;
    assert_eq!(database.rows().await, payer.rows(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_failed_inline_is_noticed_though_its_handler_goes_on() {
    let (database, mut payer) = (Postgres::new().await, Payer::default());
    let store = PostgresStore::builder(&database.url).inline(Careless).connect().await.unwrap();
    payer.pay(&store, "a", &[1]).await;
    let append = async |cents| {
        let event = PurseEvent::Filled { cents };
        let event = NewEvent::new(Env::system().new_id(), Env::system().now(), &event).unwrap();
        store.append(Append::to(StreamId::new("Purse", "a"), Expected::Any, [event])).await
    };
    let error = append(2).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Projection && error.to_string().contains("savepoint"), "{error:?}");
    assert!(
        format!("{:?}", append(3).await.unwrap_err()).contains("foreign key"),
        "only the commit refuses it"
    );
    // A connection that is lost is no fault of the handler.
    let error = append(5).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true), "{error:?}");
    payer.pay(&store, "a", &[4]).await;
    let seen = query_scalar::<_, i64>("SELECT cents FROM careless.seen ORDER BY cents");
    assert_eq!(seen.fetch_all(store.pool()).await.unwrap(), [1, 4]);
    let stored = store.read_stream(&StreamId::new("Purse", "a"), ReadStream::forward()).await.unwrap();
    assert_eq!(stored.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_somebody_elses_is_left_alone() {
    let database = Postgres::new().await;
    query("CREATE SCHEMA purses").execute(database.store.pool()).await.unwrap();
    let error = database.projector(1, &Conduct::default()).await.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("there is a schema `purses`"), "{error}");
    let rows = "SELECT count(*) FROM jitney.projections";
    let rows: i64 = query_scalar(rows).fetch_one(database.store.pool()).await.unwrap();
    assert_eq!(rows, 0, "nothing is left of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_leaves_one_schema_and_an_interrupted_one_is_cleaned_up() {
    let (database, conduct) = (Postgres::new().await, Conduct::default());
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    database.projector(1, &conduct).await.rebuild().await.unwrap();
    // What is left where a process dies behind the swap.
    for sql in [
        "CREATE SCHEMA purses__old",
        "CREATE TABLE purses__old.totals (purse text)",
        "INSERT INTO jitney.projections (projection, state, version, live_from) VALUES ('purses', 2, 1, '0')",
    ] {
        query(sql).execute(database.store.pool()).await.unwrap();
    }
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'purses%'";
    let schemas: Vec<String> = query_scalar(schemas).fetch_all(database.store.pool()).await.unwrap();
    assert_eq!(schemas, ["purses"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_leaves_a_schema_alone_that_only_has_the_name_of_its_place() {
    let (database, conduct) = (Postgres::new().await, Conduct::default());
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    raw_sql("CREATE SCHEMA purses__next; CREATE TABLE purses__next.mine (a text)")
        .execute(database.store.pool())
        .await
        .unwrap();
    let error = database.projector(1, &conduct).await.rebuild().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("there is a schema `purses__next`"), "{error}");
    query("SELECT a FROM purses__next.mine").execute(database.store.pool()).await.unwrap();
    // Nor can a projection be called as the place of a build of another one is.
    for name in ["purses__next", "purses__old"] {
        let error = ProjectionHandle::new(database.model().await, name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{name}");
    }
}

/// Goes on behind a statement that has failed, and writes what only the end of the transaction refuses.
struct Careless;

impl Projection for Careless {
    type Connection = PgConnection;

    fn name(&self) -> &str {
        "careless"
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), HandlerError> {
        let seen = "CREATE TABLE seen (cents bigint PRIMARY KEY)";
        let late = "CREATE TABLE late (cents bigint REFERENCES seen DEFERRABLE INITIALLY DEFERRED)";
        for sql in [seen, late] {
            query(sql).execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, PgConnection>,
    ) -> Result<(), HandlerError> {
        let PurseEvent::Filled { cents } = event.decode().map_err(HandlerError::permanent)?;
        match cents {
            2 => drop(query("SELECT 1 / 0").execute(at.connection()).await),
            5 => drop(query("SELECT pg_terminate_backend(pg_backend_pid())").execute(at.connection()).await),
            3 => {
                query("INSERT INTO late VALUES (99)").execute(at.connection()).await?;
            }
            _ => {
                let insert = query("INSERT INTO seen VALUES ($1)").bind(i64::try_from(cents)?);
                insert.execute(at.connection()).await?;
            }
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_committed_does_not_count_as_handled() {
    let (database, mut payer) = (Postgres::new().await, Payer::default());
    let projector = Projector::new(database.store(), database.model().await, Careless);
    let projector = projector.on_failure(OnFailure::Park).start().await.unwrap();
    for cents in [1, 2, 3, 4] {
        let position = payer.pay(&database.store, "a", &[cents]).await;
        projector.wait_for(&position, PATIENCE).await.unwrap();
    }
    let seen = query_scalar::<_, i64>("SELECT cents FROM careless.seen ORDER BY cents");
    assert_eq!(seen.fetch_all(database.store.pool()).await.unwrap(), [1, 4]);
    let passed = projector.passed(10).await.unwrap();
    let errors: Vec<_> = passed.iter().map(|passed| (passed.event.sequence, &*passed.event.error)).collect();
    let [(3, late), (2, behind)] = errors[..] else { panic!("{errors:?}") };
    assert!(late.contains("foreign key") && behind.contains("savepoint"), "{errors:?}");
    projector.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_the_database_refuses_is_told_to_who_waits_for_it() {
    let (database, conduct) = (Postgres::new().await, Conduct::default());
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    raw_sql("CREATE SCHEMA purses__old; CREATE TABLE purses__old.mine (a text)")
        .execute(database.store.pool())
        .await
        .unwrap();
    let rebuilt = Env::system().timeout(PATIENCE, database.projector(1, &conduct).await.rebuild()).await;
    let error = rebuilt.expect("it ends").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("there is a schema `purses__old`"), "{error}");
    query("SELECT a FROM purses__old.mine").execute(database.store.pool()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_old_tables_holds_no_rebuild_up_but_the_next() {
    let (database, conduct, mut payer) = (Postgres::new().await, Conduct::default(), Payer::default());
    payer.pay(&database.store, "a", &[1]).await;
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    projector.wait_for_end(PATIENCE).await.unwrap();
    projector.shutdown().await.unwrap();
    let mut reader = database.readers.begin().await.unwrap();
    query("SELECT purse FROM purses.totals").execute(&mut *reader).await.unwrap();
    let rebuilt = Env::system().timeout(PATIENCE, database.projector(2, &conduct).await.rebuild()).await;
    rebuilt.expect("it waits for no reader").unwrap();
    assert_eq!(database.build(BuildState::Live).await.unwrap().version, 2);
    let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'purses%' ORDER BY 1";
    let schemas =
        async || -> Vec<String> { query_scalar(schemas).fetch_all(database.store.pool()).await.unwrap() };
    assert_eq!(schemas().await, ["purses", "purses__old"]);
    let next = database.projector(3, &conduct).await.rebuild();
    let read = async {
        let end = database.store.end().await.unwrap();
        until("the next one is built", async || {
            database.build(BuildState::Next).await.is_some_and(|next| next.has_reached(&end))
        })
        .await;
        reader.rollback().await.unwrap();
    };
    let (rebuilt, ()) = tokio::join!(next, read);
    rebuilt.unwrap();
    assert_eq!(database.rows().await, payer.rows(3));
    assert_eq!(schemas().await, ["purses"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_vanishes_in_its_transaction_holds_its_shard_no_longer_than_its_lease() {
    let (database, conduct, mut payer) = (Postgres::new().await, Conduct::default(), Payer::default());
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    let position = payer.pay(&database.store, "a", &[1]).await;
    let lease = Duration::from_millis(300);
    let (model, build) = (database.model().await, database.build(BuildState::Live).await.unwrap());
    let leased = model.lease(&build.id, "gone", lease).await.unwrap();
    let [ShardLease { shard, epoch, position: from, .. }] = &leased.shards[..] else { panic!("one shard") };
    let (shard, epoch, to) = (*shard, *epoch, &position);
    let step = Step { shard, epoch, from, to, handled: 1, last_time: None, passed: None };
    let mut transaction = model.begin(&build.id, lease).await.unwrap();
    assert!(transaction.advance(&step).await.unwrap());
    // The transaction stays open, and nothing is heard of it.
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    projector.wait_for(&position, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    projector.shutdown().await.unwrap();
    drop(transaction);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_not_taken_for_one_without_the_event() {
    let (database, id) = (Postgres::new().await, Id::from("request 17"));
    let handle = database.handle().await;
    let mut other = database.readers.begin().await.unwrap();
    query("LOCK TABLE jitney.events IN ACCESS EXCLUSIVE MODE").execute(&mut *other).await.unwrap();
    let waited = handle.wait_for_correlation(&database.store, &id, Duration::from_millis(50));
    let error = waited.await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true), "{error:?}");
    assert!(error.to_string().contains("has not answered"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_stops_its_shard_where_it_is_and_is_shown() {
    const DAMAGE: &str = "UPDATE jitney.events SET version_major = - version_major \
                          WHERE sequence = 3 AND aggregate_id = 'a'";
    let (database, conduct, mut payer) = (Postgres::new().await, Conduct::default(), Payer::default());
    payer.pay(&database.store, "a", &[1, 2, 3, 4]).await;
    let end = payer.pay(&database.store, "b", &[5]).await;
    query(DAMAGE).execute(database.store.pool()).await.unwrap();
    let projector = database.projector(1, &conduct).await.start().await.unwrap();
    let error = projector.wait_for(&end, PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Projection, false), "{error:?}");
    assert!(error.to_string().contains("event 3 of stream Purse/a"), "{error}");
    assert_eq!(database.rows().await["a"], Row { cents: 3, sequence: 2 }, "what is before it is there");
    let status = projector.status().await.unwrap();
    let stopped = status.builds[0].shards[0].stopped.clone();
    assert!(matches!(stopped, Some(Stopped::Reading { .. })) && status.lag.is_none(), "{stopped:?}");
    // A rebuild comes as far.
    let rebuilt = Env::system().timeout(PATIENCE, database.projector(1, &conduct).await.rebuild()).await;
    rebuilt.expect("it need not read what the live one has not come to").unwrap();
    assert_eq!(database.rows().await["a"], Row { cents: 3, sequence: 2 });
    query(DAMAGE).execute(database.store.pool()).await.unwrap();
    projector.resume().await.unwrap();
    projector.wait_for(&end, PATIENCE).await.unwrap();
    assert_eq!(database.rows().await, payer.rows(1));
    projector.shutdown().await.unwrap();
}
