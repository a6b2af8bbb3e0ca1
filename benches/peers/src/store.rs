//! Compares event stores on PostgreSQL: Jitney's with what raw sqlx makes of the same statements, and with other libraries'.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml --features store --bin store
//! ```
//!
//! The server is the one that `JITNEY_POSTGRES_URL` names, the one of `cargo xtask up postgres`, or one of its own; `fsync` is
//! on. The contestants take turns in changing order, each with up to 16 connections, and ratios are taken within a round. A load
//! that comes to another sum, or a read to another number of events, is an error and not a number. What is measured is
//! told in `store/subject.rs`.

#[path = "../../process/quartiles.rs"]
mod quartiles;
#[path = "../../process/table.rs"]
mod table;

mod store {
    pub mod account;
    pub mod cqrs_es;
    pub mod disintegrate;
    pub mod floor;
    pub mod jitney_store;
    pub mod measure;
    pub mod on_postgres;
    pub mod report;
    pub mod subject;
}

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use store::measure::{Contestant, Work, take_turns};
use store::subject::Failure;
use store::{on_postgres, report};

#[derive(Debug, Parser)]
struct Args {
    /// How long each contestant is measured at each kind of work, in all rounds together.
    #[arg(long, default_value_t = 11.0)]
    seconds: f64,
    /// How many rounds; each is a turn of every contestant.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Only contestants whose names have this in them.
    #[arg(long)]
    only: Option<String>,
    /// Only this work: command, append, load, read.
    #[arg(long)]
    work: Option<String>,
    /// One JSON array instead of tables.
    #[arg(long)]
    json: bool,
}

const WORK: [(&str, Work); 7] = [
    ("command", Work::Command { clients: 1 }),
    ("command", Work::Command { clients: 16 }),
    ("append", Work::Append { clients: 1 }),
    ("append", Work::Append { clients: 16 }),
    ("load", Work::Load { with_snapshot: false }),
    ("load", Work::Load { with_snapshot: true }),
    ("read", Work::ReadAll),
];

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let database = on_postgres::Database::prepare().await?;
    let contestants = database.contestants().await?;
    let measured = measure(&args, contestants).await;
    database.drop_schemas().await?;
    let all = measured?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(())
}

async fn measure(args: &Args, mut contestants: Vec<Contestant>) -> Result<Vec<report::Figures>, Failure> {
    if let Some(name) = &args.only {
        contestants.retain(|one| one.name.contains(name));
    }
    let rounds = args.rounds.max(1);
    let lap = Duration::from_secs_f64(args.seconds.max(0.01) / rounds as f64);
    let mut all = Vec::new();
    for (name, work) in WORK {
        if args.work.as_deref().is_none_or(|wanted| wanted == name) {
            let figures = report::figures(work, &take_turns(work, &contestants, rounds, lap).await?);
            if !args.json {
                report::print(work, &figures);
            }
            all.extend(figures);
        }
    }
    Ok(all)
}
