//! Runners that are killed in the middle of their work.

use std::env;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jitney::Env;
use jitney::sourcing::process::ProcessRunner;
use jitney::sql::{PostgresProcessStore, PostgresStore, SqliteProcessStore, SqliteStore};

use crate::backend::{Backend, Postgres, Sqlite};
use crate::checks::{WAY, append_all, until};
use crate::saga::OrderFlow;

/// Where the child finds its database.
const VARIABLE: &str = "JITNEY_PROCESSES_CHILD";

const ORDERS: usize = 25;

/// Runs the order flow until it is killed; false where this process is no child.
fn obeyed() -> bool {
    let Ok(database) = env::var(VARIABLE) else { return false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let runner = if database.starts_with("postgres") {
            let store = PostgresStore::connect(&database).await.unwrap();
            ProcessRunner::<OrderFlow>::new(PostgresProcessStore::of(&store)).follow(store)
        } else {
            let store = SqliteStore::open(&database).await.unwrap();
            ProcessRunner::<OrderFlow>::new(SqliteProcessStore::of(&store)).follow(store)
        };
        let _running = runner.batch(3).lease(Duration::from_millis(200)).spawn();
        std::future::pending::<()>().await;
    });
    true
}

/// Killed when it is dropped.
struct Killed(Child);

impl Killed {
    fn start(test: &str, database: &str) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(VARIABLE, database)
            .stdout(Stdio::null())
            .spawn();
        Killed(child.unwrap())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills one runner after the other, each when some more was sent. In the end each order has sent what it should, once.
async fn kill(backend: &impl Backend, test: &str, database: &str) {
    for order in 0..ORDERS {
        append_all(backend, &format!("o-{order}")).await;
    }
    let all = ORDERS * WAY.len();
    let (mut sent, mut kills) = (0, 0);
    while sent + 10 < all {
        let enough = (sent + 1 + usize::try_from(Env::system().random() % 25).unwrap()).min(all);
        let child = Killed::start(test, database);
        until("it has sent some more", async || backend.sent().await.len() >= enough).await;
        drop(child);
        sent = backend.sent().await.len();
        kills += 1;
    }
    assert!(kills > 1, "it was done before it could be killed");
    let runner = backend.runner::<OrderFlow>().await;
    // Until the lease of the last one has passed.
    until("the rest is done", async || runner.catch_up().await.is_ok()).await;
    assert_eq!(backend.sent().await.len(), all);
    for order in 0..ORDERS {
        assert_eq!(backend.sent_to(&format!("o-{order}")).await, WAY);
    }
    assert_eq!(runner.counts().await.unwrap().open, 0);
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(test);
}

#[test]
fn runners_on_sqlite_that_are_killed_lose_nothing_and_repeat_nothing() {
    if obeyed() {
        return;
    }
    run(async {
        let backend = Sqlite::new().await;
        let test = "killed::runners_on_sqlite_that_are_killed_lose_nothing_and_repeat_nothing";
        kill(&backend, test, &backend.path()).await;
    });
}

#[test]
fn runners_on_postgres_that_are_killed_lose_nothing_and_repeat_nothing() {
    if obeyed() {
        return;
    }
    run(async {
        let backend = Postgres::new().await;
        let test = "killed::runners_on_postgres_that_are_killed_lose_nothing_and_repeat_nothing";
        kill(&backend, test, &backend.url).await;
    });
}
