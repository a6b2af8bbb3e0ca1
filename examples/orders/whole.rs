//! A run in one process: the application is started, given its orders, and stopped.

use std::io::BufRead;

use jitney::prelude::*;

use super::app::{Views, app, sourced};
use super::carry::LEASE;
use super::input::Reject;
use super::past::chains;
use super::report::Report;
use super::run::{Ending, Work, run};
use super::scope::Scope;
use super::sourced::Orders;
use super::store::Store;
use super::wait::PATIENCE;

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
        Some(store) => Ok(sourced(bus, views, orders(store, views)?)),
        None => Ok::<_, jitney::Error>(app(bus, views)),
    };
    if bus.capabilities().durable {
        views.scope = Scope::new(bus.env(), chains(work.store, work.history).await?);
        build(bus.clone(), views)?.provision().await?;
    }
    // Behind this end of the store nothing is appended before the application runs; what is before it is recalled.
    let carrier = match work.store {
        Some(store) => Some(store.carry(&bus, LEASE).await?),
        None => None,
    };
    let running = build(bus.clone(), views)?.keep_buses_open().spawn().await?;
    let ending = run(&running, views, work, carrier.as_ref(), rejected, progressed).await;
    let report = Report::new(views, &running.stats());
    let groups: Vec<_> = running.health().groups.into_iter().map(|group| group.name).collect();
    let stopped = running.shutdown().await;
    let carried = match carrier {
        Some(carrier) => carrier.shutdown().await,
        None => Ok(()),
    };
    let cleared = views.scope.clear(&bus, groups).await;
    let closed = bus.close(PATIENCE).await;
    let ending = ending?;
    stopped.and(carried).and(cleared).and(closed)?;
    Ok((ending, report))
}

/// The orders in `store`.
///
/// # Errors
///
/// When the store cannot do what they need.
#[cfg(not(feature = "privacy"))]
pub fn orders(store: &Store, _: &Views) -> jitney::Result<Orders> {
    Ok(Repository::new(store.events.clone()))
}

/// The orders in `store`. What a recipient costs to open is paid once, with snapshots.
///
/// # Errors
///
/// When the store keeps none.
#[cfg(feature = "privacy")]
pub fn orders(store: &Store, views: &Views) -> jitney::Result<Orders> {
    use jitney::sourcing::SnapshotPolicy;

    let orders = Repository::new(store.events.clone());
    Ok(match views.mail {
        Some(_) => orders.with_snapshots_of(SnapshotPolicy::every(2), "an order with its recipient")?,
        None => orders,
    })
}
