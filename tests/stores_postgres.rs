//! The conformance suite for event stores on PostgreSQL: on the server that all tests share, and, where a check disturbs the
//! server, on one of its own.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use jitney::sourcing::{Error, ErrorKind, EventStore};
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
use jitney_core::Env;
use jitney_core::personal::Sealer;
use jitney_test_servers::{Postgres, ThrowAwayPostgres};
use jitney_testkit::stores::{self, Disturbance, StoreFixture};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

const LIMIT: Duration = Duration::from_secs(180);

const SECRET: &str = "not-to-be-shown";

async fn open(url: &str) -> Result<Arc<dyn EventStore>, Error> {
    Ok(Arc::new(PostgresStore::builder(url).max_connections(5).connect().await?))
}

/// A database of the server that all tests share, one for all checks of this process.
struct Shared(String);

impl Shared {
    async fn new() -> Self {
        static URL: OnceCell<String> = OnceCell::const_new();
        Shared(URL.get_or_init(Self::create).await.clone())
    }

    async fn create() -> String {
        let url = jitney_test_servers::postgres_url().unwrap_or_else(|error| panic!("{error}"));
        let name = format!("suite_{:016x}", Env::system().random());
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        raw_sql(create).execute(&mut connection).await.unwrap();
        let (server, _) = url.rsplit_once('/').unwrap();
        // The server lets in anyone, whatever the password.
        let server = server.replace("postgres@", &format!("postgres:{SECRET}@"));
        format!("{server}/{name}")
    }
}

#[async_trait::async_trait]
impl StoreFixture for Shared {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        open(&self.0).await
    }

    fn seals(&self) -> bool {
        true
    }

    async fn sealed_store(&self, sealer: Arc<dyn Sealer>) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(PostgresStore::builder(&self.0).max_connections(5).sealed_by(sealer).connect().await?))
    }

    fn patience(&self) -> Duration {
        LIMIT
    }

    fn secret(&self) -> Option<&str> {
        self.0.contains(SECRET).then_some(SECRET)
    }
}

mod postgres {
    jitney_testkit::store_conformance_tests!(super::Shared::new().await);
}

/// A server that can be disturbed.
struct Own(Arc<ThrowAwayPostgres>);

impl Own {
    fn new(name: &str) -> Self {
        Own(Arc::new(ThrowAwayPostgres::start(name, LIMIT).unwrap()))
    }
}

#[async_trait::async_trait]
impl StoreFixture for Own {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        open(&self.0.url()).await
    }

    fn patience(&self) -> Duration {
        LIMIT
    }

    fn can_disturb(&self, disturbance: Disturbance) -> bool {
        matches!(disturbance, Disturbance::Restart | Disturbance::Kill)
    }

    async fn disturb(&self, disturbance: Disturbance) -> Result<(), Error> {
        let server = Arc::clone(&self.0);
        let disturbed = spawn_blocking(move || {
            let server: &ThrowAwayPostgres = &server;
            let ended = match disturbance {
                Disturbance::Restart => Postgres::shut_down(server, LIMIT),
                _ => server.kill(),
            };
            ended.and_then(|()| server.start_again(LIMIT))
        });
        let failed = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Store, error.to_string());
        disturbed.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

#[test]
fn survives_restarts_of_the_server() {
    stores::test("survives_restarts_of_the_server", async { Own::new("suite-restart") });
}

#[test]
fn survives_kills_of_the_server() {
    stores::test("survives_kills_of_the_server", async { Own::new("suite-kill") });
}
