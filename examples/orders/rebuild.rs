//! The order book from the command line: shown, and made anew while it is read.

use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::ProgressBar;
use jitney::{Env, error_chain};
use rust_decimal::Decimal;

use super::book::{AtStage, OrderBook};
use super::store::Store;
use super::{money, progress};

/// How often the book is read while it is made anew.
const READ_EVERY: Duration = Duration::from_millis(20);

/// Prints the book as it is behind all events that `store` has.
///
/// # Errors
///
/// When the store does not answer, an event cannot be handled, or nothing can be printed.
pub async fn show(store: &Store, out: &mut impl Write) -> Result<(), String> {
    let book = book(store)?;
    book.catch_up(Arc::clone(&store.events)).await.map_err(|error| error_chain(&error))?;
    print(&*book, out).await
}

/// Makes the book anew, reads the old one meanwhile, and prints both what has come of it and how it went.
///
/// # Errors
///
/// As [`show`].
pub async fn rebuild(store: &Store, bar: &ProgressBar, out: &mut impl Write) -> Result<(), String> {
    let book = book(store)?;
    // So that there is something to be read.
    book.catch_up(Arc::clone(&store.events)).await.map_err(|error| error_chain(&error))?;
    progress::of_events(bar);
    let (handled, rate) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(0.0)));
    let told = {
        let (bar, handled, rate) = (bar.clone(), Arc::clone(&handled), Arc::clone(&rate));
        Box::new(move |progress: &jitney::sourcing::projection::Progress| {
            handled.store(progress.handled, Ordering::Relaxed);
            *rate.lock().unwrap_or_else(PoisonError::into_inner) = progress.rate;
            bar.set_length(progress.of.unwrap_or(progress.handled));
            bar.set_position(progress.handled);
            bar.set_message(format!("{:.0}/s", progress.rate));
        })
    };
    let rebuilding = book.rebuild(Arc::clone(&store.events), told);
    let (reads, seen) = reading_until(&*book, rebuilding).await?;
    bar.finish_and_clear();
    print(&*book, out).await?;
    let (handled, rate) =
        (handled.load(Ordering::Relaxed), *rate.lock().unwrap_or_else(PoisonError::into_inner));
    let seen = match (seen.start(), seen.end()) {
        (least, most) if least == most => format!("{least} orders each time"),
        (least, most) => format!("{least} to {most} orders"),
    };
    writeln!(out, "rebuilt of {handled} events, {rate:.0}/s; read {reads} times meanwhile, {seen}")
        .map_err(|error| format!("writing the order book: {error}"))
}

/// Reads the book again and again until `done`: how often, and between how many orders were seen.
async fn reading_until(
    book: &dyn OrderBook,
    done: impl Future<Output = jitney::Result<()>>,
) -> Result<(usize, RangeInclusive<usize>), String> {
    let orders = async || {
        let stages = book.stages().await.map_err(|error| error_chain(&error))?;
        Ok::<_, String>(stages.iter().map(|stage| stage.orders).sum::<usize>())
    };
    let next = async || {
        Env::system().sleep(READ_EVERY).await;
        orders().await
    };
    let mut done = std::pin::pin!(done);
    let (mut reads, first) = (1, orders().await?);
    let mut seen = first..=first;
    loop {
        tokio::select! {
            done = &mut done => {
                done.map_err(|error| error_chain(&error))?;
                return Ok((reads, seen));
            }
            orders = next() => {
                let orders = orders?;
                (reads, seen) = (reads + 1, orders.min(*seen.start())..=orders.max(*seen.end()));
            }
        }
    }
}

async fn print(book: &dyn OrderBook, out: &mut impl Write) -> Result<(), String> {
    let stages = book.stages().await.map_err(|error| error_chain(&error))?;
    let (mut text, mut all, mut sum) =
        (format!("{:<10} {:>9} {:>14}\n", "stage", "orders", "net"), 0, Decimal::ZERO);
    for AtStage { stage, orders, net } in stages {
        text += &format!("{stage:<10} {orders:>9} {:>14}\n", money::shown(net));
        (all, sum) = (all + orders, sum + net);
    }
    writeln!(out, "{text}{:<10} {all:>9} {:>14}", "all", money::shown(sum))
        .map_err(|error| format!("writing the order book: {error}"))
}

fn book(store: &Store) -> Result<Arc<dyn OrderBook>, String> {
    let none = || format!("{} keeps no order book: name a file or a database", store.events.describe());
    store.book.clone().ok_or_else(none)
}
