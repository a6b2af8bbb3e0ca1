//! PostgreSQL.

use std::collections::BTreeMap;

use jitney::Env;
use jitney::handler::HandlerError;
use jitney::inbox::Inbox;
use jitney::outbox::OutboxEvent;
use jitney::sourcing::{Append, Error, Filter, Projecting, Projection, StoredEvent, TransactionalStore};
use jitney::sql::sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_as, query_scalar, raw_sql};
use jitney::sql::{PostgresInbox, PostgresOutbox, PostgresProcessStore, PostgresReadModel, PostgresStore};
use jitney_testkit::mirror::Mirror;

use crate::parcels::{Addressed, Misread};
use crate::setting::Database;

pub(crate) struct Postgres {
    mirror: Mirror,
    store: PostgresStore,
    plain: PostgresStore,
    url: String,
}

pub(crate) struct Labels {
    version: u32,
    misreads: bool,
}

impl Projection for Labels {
    type Connection = PgConnection;

    fn name(&self) -> &str {
        "labels"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn filter(&self) -> Filter {
        Filter::of::<Addressed>()
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), HandlerError> {
        let sql = "CREATE TABLE labels (parcel TEXT PRIMARY KEY, name TEXT NOT NULL)";
        query(sql).execute(connection).await?;
        Ok(())
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, PgConnection>,
    ) -> Result<(), HandlerError> {
        if self.misreads {
            event.decode::<Misread>().map_err(HandlerError::permanent)?;
        }
        let Addressed { parcel, name } = event.decode().map_err(HandlerError::permanent)?;
        let sql = "INSERT INTO labels VALUES ($1, $2) ON CONFLICT (parcel) DO UPDATE SET name = $2";
        let text = name.text.unwrap_or_default();
        query(sql).bind(parcel).bind(text).execute(at.connection()).await?;
        Ok(())
    }
}

impl Database for Postgres {
    type Store = PostgresStore;
    type Outbox = PostgresOutbox;
    type Processes = PostgresProcessStore;
    type Model = PostgresReadModel;
    type Labels = Labels;

    async fn new() -> Self {
        let server = jitney_test_servers::postgres_url().unwrap_or_else(|error| panic!("{error}"));
        let name = format!("sealed_{:016x}", Env::system().random());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        raw_sql(create).execute(&mut connection).await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        let (url, mirror) = (format!("{address}/{name}"), Mirror::new());
        let builder = || PostgresStore::builder(&url).max_connections(4).outbox(Filter::all());
        let store = builder().sealed_by(mirror.clone()).connect().await.unwrap();
        let plain = builder().connect().await.unwrap();
        Postgres { mirror, store, plain, url }
    }

    fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    fn store(&self) -> &PostgresStore {
        &self.store
    }

    fn plain(&self) -> PostgresStore {
        self.plain.clone()
    }

    async fn inline(&self) -> Result<PostgresStore, Error> {
        let builder = PostgresStore::builder(&self.url).max_connections(4).sealed_by(self.mirror.clone());
        builder.inline(self.labels(1, false)).connect().await
    }

    fn outbox(&self, of: &PostgresStore) -> PostgresOutbox {
        PostgresOutbox::of(of)
    }

    fn inbox(&self, of: &PostgresStore) -> Box<dyn Inbox> {
        Box::new(PostgresInbox::of(of))
    }

    fn processes(&self, of: &PostgresStore) -> PostgresProcessStore {
        PostgresProcessStore::of(of)
    }

    fn model(&self) -> PostgresReadModel {
        PostgresReadModel::of(&self.store)
    }

    fn labels(&self, version: u32, misreads: bool) -> Labels {
        Labels { version, misreads }
    }

    async fn in_transaction(&self, append: Append, event: OutboxEvent) -> Result<(), jitney::Error> {
        let mut transaction = self.store.pool().begin().await.unwrap();
        self.store.append_in(&mut transaction, append).await?;
        PostgresOutbox::of(&self.store).add(&mut transaction, event).await?;
        transaction.commit().await.unwrap();
        Ok(())
    }

    async fn read_labels(&self) -> BTreeMap<String, String> {
        let rows: Vec<(String, String)> =
            query_as("SELECT parcel, name FROM labels.labels").fetch_all(self.store.pool()).await.unwrap();
        rows.into_iter().collect()
    }

    async fn everything(&self) -> BTreeMap<String, String> {
        let pool = self.store.pool();
        let tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
        let tables: Vec<(String, String)> = query_as(tables).fetch_all(pool).await.unwrap();
        let mut everything = BTreeMap::new();
        for (schema, table) in tables {
            let sql =
                format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM \"{schema}\".\"{table}\" t");
            let text = query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
            everything.insert(table, text);
        }
        everything
    }

    async fn meddle(&self, sql: &str) {
        let mut transaction = self.store.pool().begin().await.unwrap();
        raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    fn table(&self, name: &str) -> String {
        format!("jitney.{name}")
    }

    fn replaced(&self, column: &str, from: &str, to: &str) -> String {
        format!("replace({column}::text, '{from}', '{to}')::json")
    }
}

all_checks!(Postgres);
