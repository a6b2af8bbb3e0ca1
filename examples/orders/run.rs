//! One run: commands in, and then waiting until every accepted order has reached its final state.

use std::io::BufRead;
use std::time::Duration;

use jitney::app::RunningApp;
use jitney::prelude::*;
use jitney::{Error, ErrorKind, Id, error_chain};

use crate::app::Views;
use crate::events::{OrderCreatedV1, PlaceOrder};
use crate::input::{Catalogue, Reject, read_orders};
use crate::report::Report;

/// Without any progress for so long, a run is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is to be run.
pub struct Work<'a, R> {
    pub input: R,
    pub catalogue: &'a Catalogue,
    pub history: Vec<OrderCreatedV1>,
    pub repeat: usize,
}

/// Runs `work` on the started application, and answers the figures. `rejected` is told of lines that are no orders,
/// `progressed` of the share of orders that are done.
pub async fn run<R: BufRead>(
    running: RunningApp,
    views: &Views,
    work: Work<'_, R>,
    mut rejected: impl FnMut(&Reject),
    mut progressed: impl FnMut(usize, usize),
) -> jitney::Result<Report> {
    let bus = running.bus().clone();
    let mut sent = work.history.len();
    for old in &work.history {
        publish(&bus, old).await?;
    }
    let mut orders = Vec::new();
    for order in read_orders(work.input, work.catalogue) {
        match order {
            Ok(order) => {
                sent += 1;
                publish(&bus, &order).await?;
                progressed(views.summary.tally().borrow().finished, sent);
                if work.repeat > 1 {
                    orders.push(order);
                }
            }
            Err(reject) => rejected(&reject),
        }
    }
    for round in 2..=work.repeat {
        for order in &orders {
            let order_id = format!("{}-{round}", order.order_id);
            publish(&bus, &PlaceOrder { order_id, ..order.clone() }).await?;
            sent += 1;
            progressed(views.summary.tally().borrow().finished, sent);
        }
    }
    finished(&bus, views, sent, &mut progressed).await?;
    drained(&running).await?;
    let report = Report::new(views, &running.stats());
    running.shutdown().await?;
    Ok(report)
}

/// Publishes `event` until the bus has it, always under the same id.
async fn publish<E: Keyed>(bus: &Bus, event: &E) -> jitney::Result<()> {
    let id: Id = bus.env().new_id();
    let mut failed = 0;
    loop {
        match bus.publisher().publish_as(id.clone(), event).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_retryable() && failed < 100 => {
                failed += 1;
                bus.env().sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Waits until all that was sent is refused or has reached its final state, as the read model says.
async fn finished(
    bus: &Bus,
    views: &Views,
    sent: usize,
    progressed: &mut impl FnMut(usize, usize),
) -> jitney::Result<()> {
    let mut tally = views.summary.tally();
    loop {
        let now = *tally.borrow_and_update();
        progressed(now.finished + now.refused, sent);
        if now.finished + now.refused >= sent {
            return Ok(());
        }
        if bus.env().timeout(PATIENCE, tally.changed()).await.is_err() {
            let what = format!(
                "waiting for {sent} orders: {} are finished and {} refused, and nothing has happened for {PATIENCE:?}",
                now.finished, now.refused,
            );
            return Err(Error::new(ErrorKind::Transport, what));
        }
    }
}

/// Waits until the other groups are through as well.
async fn drained(running: &RunningApp) -> jitney::Result<()> {
    let env = running.bus().env().clone();
    let deadline = env.instant() + PATIENCE;
    loop {
        let lag = running.lag().await?;
        let behind: Vec<_> = lag.iter().filter(|(_, lag)| lag.iter().any(|lag| lag.events > 0)).collect();
        if behind.is_empty() {
            return Ok(());
        }
        if env.instant() > deadline {
            let groups: Vec<_> = behind.iter().map(|(group, _)| group.as_str()).collect();
            let what =
                format!("waiting for the groups {} to get through what they were sent", groups.join(", "));
            return Err(Error::new(ErrorKind::Transport, what));
        }
        env.sleep(Duration::from_millis(5)).await;
    }
}

/// The message of `error` with its causes.
pub fn told(error: &Error) -> String {
    error_chain(error)
}
