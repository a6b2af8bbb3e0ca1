//! A run in one process: the application is started, given its orders, and stopped.

use std::io::BufRead;
use std::time::Duration;

use jitney::prelude::*;

use super::app::{Views, app, sourced};
use super::input::Reject;
use super::past::chains;
use super::report::Report;
use super::run::{Ending, Work, run};
use super::scope::Scope;
use super::wait::PATIENCE;

/// When a process was killed, the next one publishes what is in its outbox within this time.
const LEASE: Duration = Duration::from_secs(2);

/// Does `work` on `bus`, which is closed behind it.
///
/// # Errors
///
/// As [`run`]; and when the application cannot be started or stopped.
pub async fn whole<R: BufRead>(
    bus: Bus,
    views: &mut Views,
    work: Work<'_, R>,
    rejected: impl FnMut(Reject),
    progressed: impl FnMut(usize, usize),
) -> jitney::Result<(Ending, Report)> {
    let build = |bus: Bus, views: &Views| match work.store {
        Some(store) => sourced(bus, views, Repository::new(store.events.clone())),
        None => app(bus, views),
    };
    if bus.capabilities().durable {
        views.scope = Scope::new(bus.env(), chains(work.store, work.history).await?);
        build(bus.clone(), views).provision().await?;
    }
    let running = build(bus.clone(), views).keep_buses_open().spawn().await?;
    let relay = work.store.map(|store| store.relay(&bus).lease(LEASE).spawn());
    let ending = run(&running, views, work, rejected, progressed).await;
    let report = Report::new(views, &running.stats());
    let groups: Vec<_> = running.health().groups.into_iter().map(|group| group.name).collect();
    let stopped = running.shutdown().await;
    let relayed = match relay {
        Some(relay) => relay.shutdown().await,
        None => Ok(()),
    };
    let cleared = views.scope.clear(&bus, groups).await;
    let closed = bus.close(PATIENCE).await;
    let ending = ending?;
    stopped.and(relayed).and(cleared).and(closed)?;
    Ok((ending, report))
}
