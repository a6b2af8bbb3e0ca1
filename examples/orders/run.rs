//! One run: commands in, and then waiting until every accepted order has reached its final state.

use std::io::BufRead;

use jitney::app::RunningApp;
use jitney::prelude::*;
use jitney::{Error, ErrorKind};

use super::app::Views;
use super::carry::Carrier;
use super::desk::Desk;
use super::events::PlaceOrder;
use super::input::{Catalogue, Reject, read_orders};
use super::past::{Past, as_published, import};
use super::store::Store;
use super::summary::OrderSummary;
use super::wait::Watch;

/// What is to be run.
pub struct Work<'a, R> {
    pub input: R,
    pub catalogue: &'a Catalogue,
    /// What happened before the first command.
    pub history: &'a [RawEvent],
    /// Where orders are sourced: the store that has them.
    pub store: Option<&'a Store>,
    /// How often the orders are placed, each time under other ids.
    pub repeat: usize,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every order that was accepted is at its end.
    Complete,
    /// Something never came; the text says what.
    Missing(String),
}

/// Runs `work` on the started application, to whose bus `carrier` brings what the store has. `rejected` is told of lines that are no orders, `progressed` of how many orders
/// are done, and of how many.
///
/// # Errors
///
/// When the input cannot be read, or the bus does not take a command.
pub async fn run<R: BufRead>(
    running: &RunningApp,
    views: &Views,
    work: Work<'_, R>,
    carrier: Option<&Carrier>,
    rejected: impl FnMut(Reject),
    mut progressed: impl FnMut(usize, usize),
) -> jitney::Result<Ending> {
    let summary = &views.summary;
    let watch = Watch::new(running, summary).with_carrier(carrier);
    let all = place(watch, views, work, rejected, &mut progressed).await?;
    let finished = watch.until(|tally| {
        progressed(tally.done(), all);
        tally.done() >= all
    });
    if !finished.await? {
        return Ok(Ending::Missing(unfinished(summary, all)));
    }
    // What looks on may be behind the orders.
    Ok(match watch.quiet().await? {
        true => Ending::Complete,
        false => {
            Ending::Missing("the orders are at their end, and some groups do not get through".to_owned())
        }
    })
}

/// Places the orders of `work`, behind what happened before them. Answers how many there are in all.
///
/// # Errors
///
/// As [`run`].
pub async fn place<R: BufRead>(
    watch: Watch<'_>,
    views: &Views,
    work: Work<'_, R>,
    mut rejected: impl FnMut(Reject),
    mut progressed: impl FnMut(usize, usize),
) -> jitney::Result<usize> {
    let mut desk = Desk::new(watch, views.scope.publisher(watch.bus()));
    let before = match work.store {
        Some(store) => recall_stored(&desk, store, work.history).await?,
        None => {
            desk.recall(work.history).await?;
            work.history.len()
        }
    };
    let mut told = |sent: usize| progressed(views.summary.tally().borrow().done(), before + sent);
    let mut orders = Vec::new();
    for order in read_orders(work.input, work.catalogue) {
        let order = order
            .map_err(|error| Error::new(ErrorKind::Transport, "reading the orders").with_source(error))?;
        match order {
            Ok(order) => {
                if work.repeat > 1 {
                    orders.push(order.clone());
                }
                desk.place(order).await?;
                told(desk.sent());
            }
            Err(reject) => rejected(reject),
        }
    }
    for round in 2..=work.repeat {
        for order in &orders {
            let order_id = format!("{}-{round}", order.order_id);
            desk.place(PlaceOrder { order_id, ..order.clone() }).await?;
            told(desk.sent());
        }
    }
    desk.flush().await?;
    Ok(before + desk.sent())
}

/// Sends everything that `store` has, and `history` before that, as the bus knows nothing of earlier runs. What is built from
/// events is built again by its handlers; who tells an order what it did before is told nothing new by it; and what a run that
/// was killed had not come to goes on. Answers how many orders there are.
async fn recall_stored(desk: &Desk<'_>, store: &Store, history: &[RawEvent]) -> jitney::Result<usize> {
    import(&*store.events, history).await?;
    let (mut past, mut orders) = (Past::of(&*store.events).await?, 0);
    while let Some(events) = past.next().await? {
        orders += events.iter().filter(|event| event.sequence() == 1).count();
        let events: Vec<_> = events.iter().map(as_published).collect();
        desk.recall(&events).await?;
    }
    Ok(orders)
}

/// What is missing of `all` orders.
pub fn unfinished(summary: &OrderSummary, all: usize) -> String {
    let tally = *summary.tally().borrow();
    let mut orders = summary.unfinished();
    let more = if orders.len() > 10 { ", …" } else { "" };
    orders.truncate(10);
    let known = if orders.is_empty() { String::new() } else { format!(": {}{more}", orders.join(", ")) };
    format!(
        "of {all} orders {} are at their end and {} were refused; {} are not in the read model, {} are not at their end{known}",
        tally.finished,
        tally.refused,
        all.saturating_sub(tally.created + tally.refused),
        tally.created - tally.finished,
    )
}
