//! Catching up from the start, in turns with the floor.

use std::time::{Duration, Instant};

use jitney::sourcing::{EventStore, Projector};
use jitney::sql::sqlx::{self, AssertSqlSafe};
use jitney::sql::{PostgresReadModel, PostgresStore};

use super::deposits::Deposits;
use super::floor;
use crate::Failure;
use crate::quartiles::Quartiles;
use crate::table::{Row, Table};

const PATIENCE: Duration = Duration::from_mins(30);

/// Has each contestant catch up so often, and prints events per second and ratios, which are taken within a round.
pub async fn run(
    store: &PostgresStore,
    schema: &str,
    rounds: usize,
    batch: usize,
    events: u64,
) -> Result<(), Failure> {
    let (mut floors, mut ours) = (Vec::new(), Vec::new());
    for round in 0..rounds.max(1) {
        // Whoever goes first in a round goes last in the next.
        let mut turns = [Turn::Floor, Turn::Jitney];
        turns.rotate_left(round % 2);
        for turn in turns {
            let name = format!("{schema}_{round}_{}", if turn == Turn::Floor { "floor" } else { "jitney" });
            let begin = Instant::now();
            match turn {
                Turn::Floor => {
                    floor::run(store.pool(), schema, &name, batch).await?;
                    floors.push(events as f64 / begin.elapsed().as_secs_f64());
                }
                Turn::Jitney => {
                    let model = PostgresReadModel::of(store);
                    let projection = Deposits { name: name.clone() };
                    let projector = Projector::new(store.clone(), model, projection).batch(batch);
                    let running = projector.start().await?;
                    running.wait_for(&store.end().await?, PATIENCE).await?;
                    ours.push(events as f64 / begin.elapsed().as_secs_f64());
                    running.shutdown().await?;
                }
            }
            check(store, &name, events).await?;
            let drop_it = AssertSqlSafe(format!("DROP SCHEMA {name} CASCADE"));
            sqlx::raw_sql(drop_it).execute(store.pool()).await?;
        }
    }
    print(batch, &floors, &ours);
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Floor,
    Jitney,
}

/// Every event has its row.
async fn check(store: &PostgresStore, place: &str, events: u64) -> Result<(), Failure> {
    let count = AssertSqlSafe(format!("SELECT count(*) FROM {place}.deposits"));
    let rows: i64 = sqlx::query_scalar(count).fetch_one(store.pool()).await?;
    match u64::try_from(rows)? == events {
        true => Ok(()),
        false => Err(format!("{place} has {rows} rows for {events} events").into()),
    }
}

fn print(batch: usize, floors: &[f64], ours: &[f64]) {
    let ratios: Vec<f64> = ours.iter().zip(floors).map(|(ours, floor)| ours / floor).collect();
    let row = |name: &str, rates: &[f64], ratios: &[f64]| -> Row {
        let (rates, ratios) = (Quartiles::of(rates), Quartiles::of(ratios));
        let spread = format!("{:.2} to {:.2}", ratios.low, ratios.high);
        vec![name.to_owned(), format!("{:.0}", rates.median), format!("{:.2}", ratios.median), spread]
    };
    let same: Vec<f64> = floors.iter().map(|_| 1.0).collect();
    let rows = [row("sqlx alone", floors, &same), row("a projection", ours, &ratios)];
    let title = format!("batches of {batch}");
    print!("{}", Table { head: &[&title, "events/s", "of the first", "quartiles"], rows: &rows });
}
