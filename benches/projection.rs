//! How fast a projection catches up with an event store on PostgreSQL, into a table of the same database.
//!
//! ```text
//! cargo xtask up postgres
//! cargo bench --features postgres --bench projection              # beside a loop that does equal work with sqlx
//! cargo bench --features postgres --bench projection -- --flat    # resident memory over a rebuild of five million events
//! ```
//!
//! Other options: `--events`, `--rounds`, `--batch`, `--url`.

#![allow(clippy::disallowed_methods, reason = "a bench measures: it reads the clock")]
#![allow(unreachable_pub, reason = "some files are modules of several programs")]
#![cfg_attr(
    test,
    allow(dead_code, unused_imports, reason = "there is no test harness here; other programs have it")
)]

#[path = "process/memory.rs"]
mod memory;
#[path = "process/quartiles.rs"]
mod quartiles;
#[path = "process/table.rs"]
mod table;

mod projection {
    pub mod deposits;
    pub mod fill;
    pub mod flat;
    pub mod floor;
    pub mod laps;
}

use std::process::ExitCode;

use clap::Parser;
use jitney::sourcing::EventStore;
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{self, AssertSqlSafe};
use jitney_core::Env;

use projection::{fill, flat, laps};

/// Whatever went wrong.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Parser)]
struct Args {
    /// How many events the store has; 500,000, or five million with `--flat`.
    #[arg(long)]
    events: Option<u64>,
    /// How often each contestant catches up.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How many events are handled in one transaction.
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Samples the resident memory during a rebuild.
    #[arg(long)]
    flat: bool,
    /// The database; the server of `cargo xtask up postgres` unless told.
    #[arg(long)]
    url: Option<String>,
    /// What `cargo bench` adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let args = Args::parse();
    let url = match &args.url {
        Some(url) => url.clone(),
        None => jitney_test_servers::postgres_url()?,
    };
    let events = args.events.unwrap_or(if args.flat { 5_000_000 } else { 500_000 });
    let schema = format!("catch_up_{:08x}", Env::system().random() >> 32);
    let store = PostgresStore::builder(&url).schema(&schema).connect().await?;
    let seconds = fill::fill(&store, &schema, events).await?;
    println!("{events} events in {}, stored in {seconds:.1} s", store.describe());
    match args.flat {
        true => flat::run(&store, args.batch, events).await?,
        false => laps::run(&store, &schema, args.rounds, args.batch, events).await?,
    }
    let statement = AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"));
    sqlx::raw_sql(statement).execute(store.pool()).await?;
    Ok(ExitCode::SUCCESS)
}
