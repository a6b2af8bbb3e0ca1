//! A race on the event store on PostgreSQL: many writers that make it hard, and a reader that must miss nothing, repeat nothing,
//! and see each stream in its order. Prints the counts; a wrong one is a failure.
//!
//! `cargo xtask bench store-race -- --seconds 120`; other options: `--writers 16`, `--url URL`.

#![allow(unreachable_pub, reason = "the files are modules of several programs")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Parser;
use jitney::sourcing::EventStore;
use jitney::sql::PostgresStore;
use jitney_core::Env;
use tokio::sync::watch;

mod postgres_race {
    pub mod load;
    pub mod reader;
}

use postgres_race::load::{self, BoxError};
use postgres_race::reader::{self, Verdict};

#[derive(Debug, Parser)]
struct Args {
    /// How long the writers write.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many write at once.
    #[arg(long, default_value_t = 16)]
    writers: usize,
    /// The database; the server of `cargo xtask up postgres` unless told.
    #[arg(long)]
    url: Option<String>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let args = Args::parse();
    let url = match args.url {
        Some(url) => url,
        None => jitney_test_servers::postgres_url()?,
    };
    let env = Env::system();
    let schema = format!("race_{:08x}", env.random() >> 32);
    let connections = u32::try_from(args.writers)? + 4;
    let store = PostgresStore::builder(&url).schema(&schema).max_connections(connections).connect().await?;
    load::prepare(&store).await?;

    let (end, ends) = watch::channel(None);
    let reader = env.spawn(reader::follow(store.clone(), 1_000, ends));
    let stopped = Arc::new(AtomicBool::new(false));
    let stopper = env.spawn({
        let (env, stopped) = (env.clone(), Arc::clone(&stopped));
        async move {
            env.sleep(Duration::from_secs(args.seconds)).await;
            stopped.store(true, Ordering::Relaxed);
        }
    });
    let goes_on = move |_| !stopped.load(Ordering::Relaxed);
    let written = load::write(&store, args.writers, goes_on).await?;
    stopper.await?;
    end.send_replace(Some(store.end().await?));
    let verdict = Verdict::of(&written, &reader.await??);
    println!("{} writers, {} s, {}", args.writers, args.seconds, store.describe());
    println!("{verdict}");
    drop_schema(&store, &schema).await?;
    Ok(if verdict.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn drop_schema(store: &PostgresStore, schema: &str) -> Result<(), BoxError> {
    use jitney::sql::sqlx::{self, AssertSqlSafe};
    let statement =
        AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE; DROP TABLE IF EXISTS race_elsewhere"));
    sqlx::raw_sql(statement).execute(store.pool()).await?;
    Ok(())
}
