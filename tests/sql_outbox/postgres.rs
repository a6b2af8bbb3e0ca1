//! PostgreSQL.

use jitney::sourcing::{EventStore, Filter};
use jitney::sql::sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use jitney::sql::{PostgresOutbox, PostgresStore};
use jitney::{Env, Id};

use crate::checks::{Billed, Service};

struct Postgres {
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
        let url = format!("{address}/{name}");
        let store = PostgresStore::builder(&url).outbox(Filter::all()).connect().await.unwrap();
        Postgres { store, url }
    }
}

impl Service for Postgres {
    type Outbox = PostgresOutbox;

    async fn outbox(&self) -> PostgresOutbox {
        // As another process would connect.
        PostgresOutbox::connect(&self.url).await.unwrap()
    }

    async fn bill(&self, event: &Billed, commit: bool) -> Id {
        let mut transaction = self.store.pool().begin().await.unwrap();
        let outbox = PostgresOutbox::of(&self.store);
        let id = outbox.publish(&mut transaction, event).await.unwrap();
        match commit {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        id
    }

    fn store(&self) -> &dyn EventStore {
        &self.store
    }
}

all_checks!(Postgres);
