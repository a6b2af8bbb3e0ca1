//! Runners that are killed in the middle of their work.

use std::env;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jitney::Env;
use jitney::sourcing::process::ProcessRunner;
use jitney::sql::{PostgresProcessStore, PostgresStore, SqliteProcessStore, SqliteStore};

use crate::backend::{Backend, Postgres, Sqlite};
use crate::checks::{WAY, append_all, until};
use crate::interposed::{Fate, Interposed};
use crate::saga::OrderFlow;

/// Where the child finds its database.
const VARIABLE: &str = "JITNEY_PROCESSES_CHILD";

/// Behind which of its commits the child halts.
const HALT: &str = "JITNEY_PROCESSES_HALT";

const ORDERS: usize = 25;

/// How many inputs a child handles at once, each of which sends one event.
const BATCH: usize = 3;

/// The most commits that a child makes before it halts.
const MOST: usize = 6;

/// Runs the order flow until it halts, and until it is killed; false where this process is no child.
fn obeyed() -> bool {
    let Ok(database) = env::var(VARIABLE) else { return false };
    let halt = env::var(HALT).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let runner = if database.starts_with("postgres") {
            let store = PostgresStore::connect(&database).await.unwrap();
            let processes = Interposed::with_fate(PostgresProcessStore::of(&store), halt, Fate::EndsBehind);
            ProcessRunner::<OrderFlow>::new(processes).follow(store)
        } else {
            let store = SqliteStore::open(&database).await.unwrap();
            let processes = Interposed::with_fate(SqliteProcessStore::of(&store), halt, Fate::EndsBehind);
            ProcessRunner::<OrderFlow>::new(processes).follow(store)
        };
        let _running = runner.batch(BATCH).lease(Duration::from_millis(200)).spawn();
        std::future::pending::<()>().await;
    });
    true
}

/// Killed when it is dropped.
struct Killed(Child);

impl Killed {
    fn start(test: &str, database: &str, halt: usize) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(VARIABLE, database)
            .env(HALT, halt.to_string())
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

/// Kills one runner after the other, each when some more was sent: at work, or when it has halted. In the end each order has sent what it should, once.
async fn kill(backend: &impl Backend, test: &str, database: &str) {
    for order in 0..ORDERS {
        append_all(backend, &format!("o-{order}")).await;
    }
    let all = ORDERS * WAY.len();
    let up_to = |most: usize| 1 + usize::try_from(Env::system().random()).unwrap() % most;
    let (mut sent, mut kills) = (0, 0);
    while sent + BATCH * MOST < all {
        let halt = up_to(MOST);
        let enough = sent + up_to(BATCH * halt);
        let child = Killed::start(test, database, halt);
        until("it has sent some more", async || backend.sent().await.len() >= enough).await;
        drop(child);
        sent = backend.sent().await.len();
        kills += 1;
    }
    assert!(kills >= all / (BATCH * MOST) - 1, "none of them has done more than it was to: {kills}");
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
