//! An application that runs, until it is stopped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::{BoxFuture, select};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Settings;
use super::hooks::{Hook, close, started};
use super::observe::{lag, observe};
use super::plan::{Plan, PlannedGroup};
use crate::admin::Lag;
use crate::dispatch::{Group, GroupStats, SubscriptionLoop, leave};
use crate::middleware::BreakerState;
use crate::publish::Bus;
use crate::transport::Subscribed;
use crate::{Error, ErrorKind};

/// A running application. Dropping it stops fetching; what runs goes on in the background until it has drained.
#[must_use = "dropping it stops the application"]
pub struct RunningApp {
    bus: Bus,
    named: BTreeMap<String, Bus>,
    groups: Vec<Arc<Group>>,
    tasks: FuturesUnordered<GroupTask>,
    stop: watch::Sender<bool>,
    on_stop: Vec<Hook>,
    settings: Settings,
}

type GroupTask = futures_util::future::Map<JoinHandle<Result<(), Error>>, fn(Joined) -> Result<(), Error>>;
type Joined = Result<Result<(), Error>, tokio::task::JoinError>;

impl RunningApp {
    pub(super) async fn start(plan: Plan) -> Result<Self, Error> {
        let Plan { bus, named, groups, on_start, on_stop, settings, description: _ } = plan;
        let groups = groups.into_iter().flat_map(|group| group.members(settings.members)).collect();
        let subscribing = subscribe(groups, settings.drain_within);
        let (subscribed, on_stop) = started(&bus, on_start, on_stop, subscribing).await?;
        let (stop, stopped) = watch::channel(false);
        let (tasks, mut running) = (FuturesUnordered::new(), Vec::<Arc<Group>>::new());
        for (group, subscribed) in subscribed {
            if !running.iter().any(|known| Arc::ptr_eq(known, &group)) {
                running.push(Arc::clone(&group));
            }
            let env = group.bus.env().clone();
            let told = told_to_stop(stopped.clone());
            let work = SubscriptionLoop::new(group, subscribed, settings.drain_within, told).run();
            let flat: fn(Joined) -> Result<(), Error> = flatten;
            tasks.push(env.spawn(work).map(flat));
        }
        let observing = select(told_to_stop(stopped), Box::pin(observe(running.clone())));
        drop(bus.env().spawn(observing.map(drop)));
        Ok(RunningApp { bus, named, groups: running, tasks, stop, on_stop, settings })
    }

    /// The application's bus.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// What each group has done so far, by full name: `service.group`, or `service.group on bus` on a named bus.
    pub fn stats(&self) -> BTreeMap<String, GroupStats> {
        self.groups.iter().map(|group| (group.label.clone(), group.counters.snapshot())).collect()
    }

    /// How each group is.
    pub fn health(&self) -> Health {
        let groups = self.groups.iter().map(|group| GroupHealth {
            name: group.label.clone(),
            running: group.running.load(Ordering::Relaxed) > 0,
            breakers: group
                .router
                .routes()
                .into_iter()
                .filter_map(|route| Some((route.name.clone(), route.breaker.as_ref()?.state())))
                .collect(),
        });
        Health { groups: groups.collect() }
    }

    /// How far each group is behind, by full name; nothing for groups whose bus cannot tell.
    ///
    /// # Errors
    ///
    /// When a broker does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn lag(&self) -> Result<BTreeMap<String, Vec<Lag>>, Error> {
        lag(&self.groups).await
    }

    /// Waits until a group ends by itself: with its error, or with none where every group has ended without.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    pub async fn failed(&mut self) -> Option<Error> {
        while let Some(result) = self.tasks.next().await {
            if let Err(error) = result {
                return Some(error);
            }
        }
        if self.groups.is_empty() {
            std::future::pending::<()>().await;
        }
        None
    }

    /// Stops fetching, lets what runs finish within the drain limit, settles, runs the `on_stop` hooks, and closes the
    /// buses.
    ///
    /// # Errors
    ///
    /// The first error among those of groups, hooks and closing; all of it is done nevertheless.
    pub async fn shutdown(mut self) -> Result<(), Error> {
        // Nobody listens any more where every group has ended.
        let _ = self.stop.send(true);
        let mut first = None;
        while let Some(result) = self.tasks.next().await {
            first = first.or(result.err());
        }
        let closed = close(&self.bus, &self.named, self.on_stop, &self.settings).await;
        first.map_or(closed, Err)
    }
}

/// Subscribes all groups or, where one cannot be, none: those before it leave their groups again.
async fn subscribe(
    groups: Vec<PlannedGroup>,
    leave_within: Duration,
) -> Result<Vec<(Arc<Group>, Subscribed)>, Error> {
    let mut all: Vec<(Arc<Group>, Subscribed)> = Vec::with_capacity(groups.len());
    for PlannedGroup { group, subscription, .. } in groups {
        match group.bus.transport().subscribe(subscription).await {
            Ok(subscribed) => all.push((group, subscribed)),
            Err(error) => {
                for (group, subscribed) in all {
                    leave(&group, &*subscribed.settler, leave_within).await;
                }
                let what =
                    format!("subscribing group `{}` to {}", group.name, group.bus.transport().describe());
                let retryable = error.is_retryable();
                return Err(Error::new(error.kind(), what).retryable(retryable).with_source(error));
            }
        }
    }
    Ok(all)
}

fn told_to_stop(mut stopped: watch::Receiver<bool>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        // A sender that is gone means the same.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    })
}

fn flatten(joined: Joined) -> Result<(), Error> {
    joined.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Closed, "a group's task has ended before its time").with_source(error))
    })
}

/// How an application is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Health {
    /// All groups.
    pub groups: Vec<GroupHealth>,
}

/// How a group is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GroupHealth {
    /// Its full name.
    pub name: String,
    /// Whether it receives events; false before it starts and after it has ended.
    pub running: bool,
    /// Its handlers that have a breaker, with its state.
    pub breakers: BTreeMap<String, BreakerState>,
}

impl Health {
    /// Whether every group runs and no breaker is open.
    pub fn is_healthy(&self) -> bool {
        let closed =
            |group: &GroupHealth| group.breakers.values().all(|state| *state == BreakerState::Closed);
        self.groups.iter().all(|group| group.running && closed(group))
    }
}

impl fmt::Debug for RunningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups = self.groups.iter().map(|group| &group.name);
        f.debug_struct("RunningApp").field("groups", &groups.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}
