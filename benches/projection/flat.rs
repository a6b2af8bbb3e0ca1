//! Whether memory stays flat while a read model is made anew out of many events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jitney::sourcing::projection::{BuildState, Progress};
use jitney::sourcing::{EventStore, Projector};
use jitney::sql::{PostgresReadModel, PostgresStore};

use super::deposits::Deposits;
use crate::Failure;
use crate::memory::own_memory;

const PATIENCE: Duration = Duration::from_mins(60);

/// How many lines are printed.
const SAMPLES: u64 = 10;

/// Prints the resident memory ten times in the course of a rebuild.
pub async fn run(store: &PostgresStore, batch: usize, events: u64) -> Result<(), Failure> {
    let name = format!("flat_{:08x}", jitney_core::Env::system().random() >> 32);
    let projector = |name: &str| {
        let (model, projection) = (PostgresReadModel::of(store), Deposits { name: name.to_owned() });
        Projector::new(store.clone(), model, projection).batch(batch)
    };
    let first = projector(&name).start().await?;
    first.wait_for(&store.end().await?, PATIENCE).await?;
    first.shutdown().await?;

    println!("| events handled anew | resident KiB |\n|--------------------:|-------------:|");
    let (told, every) = (AtomicU64::new(0), (events / SAMPLES).max(1));
    let begin = Instant::now();
    let sample = move |progress: &Progress| {
        let steps = progress.handled / every;
        if progress.state == BuildState::Next && told.swap(steps, Ordering::Relaxed) < steps {
            let kib = own_memory("VmRSS:").map_or_else(|| "not told".to_owned(), |kib| kib.to_string());
            println!("| {:>19} | {kib:>12} |", progress.handled);
        }
    };
    projector(&name).on_progress(sample).rebuild().await?;
    let seconds = begin.elapsed().as_secs_f64();
    println!("{:.0} events/s, rebuilt in {seconds:.1} s", events as f64 / seconds);
    let drop_it = jitney::sql::sqlx::AssertSqlSafe(format!("DROP SCHEMA {name} CASCADE"));
    jitney::sql::sqlx::raw_sql(drop_it).execute(store.pool()).await?;
    Ok(())
}
