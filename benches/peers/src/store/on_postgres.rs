//! The contestants on PostgreSQL, each in schemas of its own.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jitney::Env;
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::postgres::PgPoolOptions;
use jitney::sql::sqlx::{self, AssertSqlSafe, PgPool};
use jitney_test_servers::ThrowAwayPostgres;

use super::cqrs_es::CqrsEs;
use super::disintegrate::Disintegrate;
use super::floor::Floor;
use super::jitney_store::Jitney;
use super::measure::{Contestant, Work};
use super::subject::{Failure, Subject};

/// As many as there are clients.
const CONNECTIONS: u32 = 16;

/// So many accounts each has from the start.
const ACCOUNTS: u32 = 4_000;

/// So long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database of a server, with the schemas of one run.
pub struct Database {
    url: String,
    pool: PgPool,
    run: String,
    _own: Option<ThrowAwayPostgres>,
}

const SCHEMAS: [&str; 5] = ["jitney", "floor", "filled", "peers", "peers_filled"];

impl Database {
    pub async fn prepare() -> Result<Self, Failure> {
        let (url, own) = match jitney_test_servers::postgres_url() {
            Ok(url) => (url, None),
            Err(_) => {
                let server = ThrowAwayPostgres::start("bench", PATIENCE)?;
                (server.url(), Some(server))
            }
        };
        // Not tried at each use, as in the store: a floor with twice the round trips would be none.
        let options = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
        let pool = options.connect(&url).await?;
        let run = format!("bench_{:08x}", Env::system().random() >> 32);
        Ok(Database { url, pool, run, _own: own })
    }

    fn schema(&self, name: &str) -> String {
        format!("{}_{name}", self.run)
    }

    async fn store(&self, schema: &str, connections: u32) -> Result<PostgresStore, Failure> {
        let builder = PostgresStore::builder(&self.url).schema(self.schema(schema));
        Ok(builder.max_connections(connections).connect().await?)
    }

    pub async fn contestants(&self) -> Result<Vec<Contestant>, Failure> {
        let filled = self.store("filled", CONNECTIONS).await?;
        let jitney = Jitney::on(Arc::new(self.store("jitney", CONNECTIONS).await?), Arc::new(filled))?;
        jitney.fill_account().await?;
        jitney.fill_all().await?;
        let floor = self.floor().await?;
        let bare = floor.clone().with_bare_insert(&self.schema("floor")).await?;
        let (peers, filled) = (self.pool_of_peers("peers").await?, self.pool_of_peers("peers_filled").await?);
        let disintegrate = Disintegrate::new(peers.clone(), filled).await;
        let cqrs_es = CqrsEs::new(peers).await?;
        let mut all = vec![
            contestant("sqlx, the same statements", floor, |_| true),
            contestant("sqlx, a bare INSERT", bare, |work| matches!(work, Work::Append { .. })),
            contestant("jitney", jitney, |_| true),
            // Its snapshots have the events twice that were stored with them.
            contestant("cqrs-es, postgres-es", cqrs_es, |work| {
                matches!(work, Work::Command { .. } | Work::Load { with_snapshot: false })
            }),
        ];
        match disintegrate {
            Ok(one) => {
                all.push(contestant("disintegrate-postgres", one, |work| {
                    !matches!(work, Work::Append { .. })
                }));
            }
            // Its functions have numbers in them that PostgreSQL reads from version 16 on.
            Err(error) => eprintln!("disintegrate-postgres is left out: {error}"),
        }
        for one in &all {
            fill_accounts(&one.subject).await.map_err(|error| format!("{}: {error}", one.name))?;
        }
        // The server's picture of tables that are nearly empty would have it read them from end to end for each command.
        sqlx::raw_sql("VACUUM ANALYZE").execute(&self.pool).await?;
        Ok(all)
    }

    /// On tables in which a store has done its work once, so that its statements are prepared.
    async fn floor(&self) -> Result<Floor, Failure> {
        let store = self.store("floor", 1).await?;
        let first = Jitney::on(Arc::new(store.clone()), Arc::new(store.clone()))?;
        first.fill_account().await?;
        first.command("first").await?;
        first.load(true).await?;
        let floor = Floor::new(&store, self.pool.clone(), &self.schema("filled")).await?;
        store.close().await;
        Ok(floor)
    }

    /// Connections in the schema `name`.
    async fn pool_of_peers(&self, name: &str) -> Result<sqlx_of_peers::PgPool, Failure> {
        let schema = self.schema(name);
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&self.pool).await?;
        let options = sqlx_of_peers::postgres::PgConnectOptions::from_str(&self.url)?;
        let options = options.options([("search_path", &schema)]);
        // Neither are theirs tried at each use.
        let pool = sqlx_of_peers::postgres::PgPoolOptions::new().max_connections(CONNECTIONS);
        Ok(pool.test_before_acquire(false).connect_with(options).await?)
    }

    pub async fn drop_schemas(&self) -> Result<(), Failure> {
        for name in SCHEMAS {
            let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema(name));
            sqlx::raw_sql(AssertSqlSafe(drop)).execute(&self.pool).await?;
        }
        Ok(())
    }
}

/// Makes the accounts that are there before anything is measured.
async fn fill_accounts(subject: &Arc<dyn Subject>) -> Result<(), Failure> {
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|client| {
            let subject = Arc::clone(subject);
            tokio::spawn(async move {
                for account in 0..ACCOUNTS / CONNECTIONS {
                    subject.command(&format!("before-{client}-{account}")).await?;
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    Ok(())
}

fn contestant(
    name: &'static str,
    subject: impl Subject + 'static,
    takes_part: fn(Work) -> bool,
) -> Contestant {
    Contestant { name, subject: Arc::new(subject), takes_part }
}
