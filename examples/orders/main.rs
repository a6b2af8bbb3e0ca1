//! The order service on real input: `cargo run --example orders -- --help`.
//!
//! Read `app.rs` first, then the services in the order in which an order passes them: `intake`, `stock`, `payment`,
//! `fulfilment`; then what looks on: `summary`, `statement`, `notification`, `audit`.

// The modules are shared with the tests.
#![allow(unreachable_pub)]

mod app;
mod audit;
mod events;
mod follow;
mod fulfilment;
mod input;
mod intake;
mod money;
mod notification;
mod payment;
mod report;
mod run;
mod statement;
mod stock;
mod summary;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use app::Views;
use audit::Audit;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use input::{Catalogue, read_history};
use jitney::prelude::*;
use run::{Work, run, told};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders/data");

/// Places orders and follows them to their end.
///
/// Ends with 0 when all went well, with 1 on a failure, and with 2 when lines of the input were no orders.
#[derive(Debug, Parser)]
#[command(name = "orders")]
struct Arguments {
    /// The bus, as a URL.
    #[arg(long, value_name = "URL", default_value = "memory://")]
    bus: String,
    /// The orders, one JSON object a line; `-` is the standard input. By default the 830 Northwind orders.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Events of `OrderCreated` in version 1, one envelope a line, that come before the orders.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The same orders so many times, under new ids.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    repeat: u64,
    /// At the end, the events of this order as a tree.
    #[arg(long, value_name = "ORDER_ID")]
    follow: Option<String>,
    /// Where lines go that are no orders.
    #[arg(long, value_name = "FILE", default_value = "orders.rejects.jsonl")]
    rejects: PathBuf,
    /// The figures as one JSON object on the standard output.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match perform(&Arguments::parse()).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(2),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs, prints, and answers how many lines were rejected.
async fn perform(arguments: &Arguments) -> Result<usize, String> {
    let catalogue = Catalogue::read(&Path::new(DATA).join("products.jsonl"))?;
    let history = arguments.history.as_deref().map(read_history).transpose()?.unwrap_or_default();
    let work = Work {
        input: open(arguments.input.as_deref())?,
        catalogue: &catalogue,
        history,
        repeat: usize::try_from(arguments.repeat).map_err(|error| error.to_string())?,
    };
    let views = Views { audit: Audit::new(arguments.follow.clone()), ..Views::default() };
    let bus = Bus::connect(&arguments.bus).await.map_err(|error| told(&error))?;
    let running = app::app(bus, &views).spawn().await.map_err(|error| told(&error))?;

    // Draws nothing where the output is no terminal.
    let bar = ProgressBar::new(0).with_style(style());
    let mut rejects = Rejects { path: &arguments.rejects, file: None, number: 0, failure: None };
    let report = run(
        running,
        &views,
        work,
        |reject| {
            bar.suspend(|| eprintln!("line {}: {}", reject.number, reject.why));
            rejects.add(&reject.line);
        },
        |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        },
    )
    .await;
    bar.finish_and_clear();
    let report = report.map_err(|error| told(&error))?;

    if arguments.json {
        println!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
    } else {
        println!("{report}");
        println!("notifications {}", views.notified.sent());
    }
    if let Some(order_id) = &arguments.follow {
        let tree = follow::tree(order_id, &views.audit.seen().followed);
        if arguments.json { eprint!("{tree}") } else { print!("\n{tree}") }
    }
    rejects.finish()
}

fn open(input: Option<&Path>) -> Result<Box<dyn BufRead>, String> {
    let standard = Path::new(DATA).join("orders.jsonl");
    let path = input.unwrap_or(&standard);
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(path).map_err(|error| format!("opening {}: {error}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

fn style() -> ProgressStyle {
    let template = "{bar:40} {pos} of {len} orders, {per_sec}, {eta} to go";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The file of the lines that are no orders; made with the first of them.
struct Rejects<'a> {
    path: &'a Path,
    file: Option<File>,
    number: usize,
    failure: Option<std::io::Error>,
}

impl Rejects<'_> {
    fn add(&mut self, line: &str) {
        self.number += 1;
        if let Err(error) = self.write(line) {
            self.failure = Some(error);
        }
    }

    fn write(&mut self, line: &str) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(self.path)?),
        };
        writeln!(file, "{line}")
    }

    fn finish(self) -> Result<usize, String> {
        if let Some(error) = self.failure {
            return Err(format!("writing rejected lines to {}: {error}", self.path.display()));
        }
        if self.number > 0 {
            eprintln!("{} lines are no orders; they are in {}", self.number, self.path.display());
        }
        Ok(self.number)
    }
}
