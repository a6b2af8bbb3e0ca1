//! The role `report`: what other processes have written, as it comes, until all orders are at their end.
//!
//! A projection that is built again: the events are published once more, to a bus in this process, and handled by what
//! looks on in a run of one process too.

use std::path::Path;

use jitney::prelude::*;
use jitney::{Error, ErrorKind, error_chain};

use super::app::{Views, onlookers};
use super::processes::placed;
use super::projection::Reader;
use super::report::Report;
use super::run::{Ending, unfinished};
use super::wait::{PATIENCE, TICK, Watch};

/// Reads what is in the directory `state` into `views`, by way of `bus`, which is nobody else's. `progressed` is told of how
/// many orders are done, and of how many. Without anything new for two minutes, it ends with what is missing.
///
/// # Errors
///
/// When the directory or what is in it cannot be read.
pub async fn gather(
    bus: Bus,
    state: &Path,
    views: &Views,
    progressed: impl FnMut(usize, usize),
) -> Result<(Ending, Report), String> {
    let running = onlookers(bus, views).spawn().await.map_err(|error| error_chain(&error))?;
    let ending = follow(Watch::new(&running, &views.summary), state, progressed).await;
    let report = Report::new(views, &running.stats());
    let stopped = running.shutdown().await;
    let ending = ending.and_then(|ending| stopped.map(|()| ending));
    Ok((ending.map_err(|error| error_chain(&error))?, report))
}

async fn follow(
    watch: Watch<'_>,
    state: &Path,
    mut progressed: impl FnMut(usize, usize),
) -> jitney::Result<Ending> {
    let unreadable = |what| Error::new(ErrorKind::Config, what);
    let (env, summary) = (watch.bus().env(), watch.summary());
    let mut reader = Reader::new(state);
    let mut last = env.instant();
    loop {
        let events = reader.read().map_err(unreadable)?;
        for event in &events {
            watch.bus().republish(event).await?;
        }
        watch.quiet().await?;
        let (done, all) = (summary.tally().borrow().done(), placed(state).map_err(unreadable)?);
        progressed(done, all.unwrap_or(done));
        if all.is_some_and(|all| done >= all) {
            return Ok(Ending::Complete);
        }
        if !events.is_empty() {
            last = env.instant();
        } else if env.instant() - last > PATIENCE {
            return Ok(Ending::Missing(match all {
                Some(all) => unfinished(summary, all),
                None => format!(
                    "no process of the role `intake` has placed all its orders in {}; {done} orders are at their end",
                    state.display()
                ),
            }));
        }
        env.sleep(TICK).await;
    }
}
