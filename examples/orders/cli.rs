//! The command line: from arguments to a run, and from its figures to text.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use indicatif::ProgressBar;
use jitney::error_chain;
use jitney::prelude::*;

use super::app::{Views, app};
use super::audit::Audit;
use super::history::read_history;
use super::input::Catalogue;
use super::rejects::Rejects;
use super::report::Report;
use super::run::{Ending, Work, run};
use super::stock::Stock;
use super::{follow, progress};

/// Where the Northwind data are.
pub const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders/data");

/// What a process ends with.
pub const FINE: u8 = 0;
/// A failure: of an argument, of the bus, or of orders that never reached their end.
pub const FAILED: u8 = 1;
/// All went well but for lines of the input that are no orders.
pub const REJECTED: u8 = 2;

/// Places orders and follows them to their end.
///
/// Ends with 0 when all went well, with 1 on a failure, and with 2 when lines of the input were no orders.
#[derive(Debug, Parser)]
#[command(name = "orders")]
pub struct Arguments {
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
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// At the end, the events of this order as a tree.
    #[arg(long, value_name = "ORDER_ID")]
    follow: Option<String>,
    /// Where lines go that are no orders.
    #[arg(long, value_name = "FILE", default_value = "orders.rejects.jsonl")]
    rejects: PathBuf,
    /// The figures as one JSON object on the standard output; what else is to be said goes to the standard error.
    #[arg(long)]
    json: bool,
}

/// Does what `arguments` say. Answers what the process is to end with.
pub async fn perform(
    arguments: &Arguments,
    bar: &ProgressBar,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    match attempt(arguments, bar, out, err).await {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to be told that the standard error is closed.
            let _ = writeln!(err, "error: {error}");
            FAILED
        }
    }
}

async fn attempt(
    arguments: &Arguments,
    bar: &ProgressBar,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, String> {
    let catalogue = Catalogue::read(&Path::new(DATA).join("products.jsonl"))?;
    let history = arguments.history.as_deref().map(read_history).transpose()?.unwrap_or_default();
    let work = Work {
        input: open(arguments.input.as_deref())?,
        catalogue: &catalogue,
        history: &history,
        repeat: arguments.repeat as usize,
    };
    let views = Views {
        audit: Audit::new(arguments.follow.clone()),
        stock: Stock::new(catalogue.in_stock()),
        ..Views::default()
    };
    let bus = Bus::connect(&arguments.bus).await.map_err(|error| error_chain(&error))?;
    let running = app(bus, &views).spawn().await.map_err(|error| error_chain(&error))?;

    let mut rejects = Rejects::new(&arguments.rejects);
    let ending = run(
        &running,
        &views.summary,
        work,
        |reject| {
            // A closed standard error is no reason to stop.
            bar.suspend(|| drop(writeln!(err, "line {}: {}", reject.number, reject.why)));
            rejects.add(&reject.line);
        },
        |done, all| progress::show(bar, done, all),
    )
    .await;
    bar.finish_and_clear();
    let report = Report::new(&views, &running.stats());
    let stopped = running.shutdown().await;
    let ending = ending.and_then(|ending| stopped.map(|()| ending)).map_err(|error| error_chain(&error))?;

    print(arguments, &views, &report, out, err).map_err(|error| format!("writing the report: {error}"))?;
    let rejected = rejects.finish()?;
    if rejected > 0 {
        let _ =
            writeln!(err, "rejected {rejected} of the lines; they are in {}", arguments.rejects.display());
    }
    match ending {
        Ending::Missing(what) => Err(what),
        Ending::Complete if rejected > 0 => Ok(REJECTED),
        Ending::Complete => Ok(FINE),
    }
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

fn print(
    arguments: &Arguments,
    views: &Views,
    report: &Report,
    out: &mut impl Write,
    err: &mut impl Write,
) -> std::io::Result<()> {
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
    } else {
        writeln!(out, "{report}\nnotifications {}", views.gateway.sent())?;
    }
    if let Some(order_id) = &arguments.follow {
        let tree = follow::tree(order_id, views.audit.followed());
        if arguments.json { write!(err, "{tree}")? } else { write!(out, "\n{tree}")? }
    }
    out.flush()
}
