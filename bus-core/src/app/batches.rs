//! An application that fetches nothing: whoever has the events hands them to its groups, and settles them.
//!
//! ```
//! # use std::time::Duration;
//! # use jitney_core::App;
//! # use jitney_core::transport::Delivery;
//! # async fn example(app: App, deliveries: Vec<Delivery>) -> Result<(), jitney_core::Error> {
//! let server = app.serve_batches().await?;
//! let settlements = server.dispatchers()["orders.billing"].run_batch(deliveries, Duration::from_secs(10)).await;
//! // … whatever stands for them at the caller's …
//! server.stop().await
//! # }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use super::Settings;
use super::hooks::{Hook, close, started};
use super::plan::Plan;
use crate::Error;
use crate::dispatch::Dispatcher;
use crate::publish::Bus;

/// An application whose batches are fetched and settled by somebody else; made by
/// [`App::serve_batches`](crate::App::serve_batches). Dropping it runs no hook and closes no bus.
#[must_use = "its groups handle what is handed to their dispatchers"]
pub struct BatchServer {
    bus: Bus,
    named: BTreeMap<String, Bus>,
    dispatchers: BTreeMap<String, Dispatcher>,
    on_stop: Vec<Hook>,
    settings: Settings,
}

impl BatchServer {
    pub(super) async fn start(plan: Plan) -> Result<Self, Error> {
        let Plan { bus, named, groups, on_start, on_stop, settings, description: _ } = plan;
        if let Some(planned) = groups.iter().find(|planned| planned.group.exactly_once) {
            return Err(Error::config(format!(
                "group `{}` is exactly once, and cannot be served by batches: whoever settles them has no transaction with its \
                 outputs; make its handlers idempotent and drop `exactly_once`",
                planned.group.label,
            )));
        }
        let (_, on_stop) = started(&bus, on_start, on_stop, std::future::ready(Ok(()))).await?;
        let dispatchers = groups.into_iter().map(|planned| {
            let label = planned.group.label.clone();
            (label, Dispatcher::new(planned.group))
        });
        Ok(BatchServer { bus, named, dispatchers: dispatchers.collect(), on_stop, settings })
    }

    /// The application's bus.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The dispatchers of all groups by full name (see [`RunningApp::stats`](super::RunningApp::stats)).
    pub fn dispatchers(&self) -> &BTreeMap<String, Dispatcher> {
        &self.dispatchers
    }

    /// Runs the `on_stop` hooks, and closes the buses.
    ///
    /// # Errors
    ///
    /// The first error among those of hooks and closing; all of it is done nevertheless.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the rest undone.
    pub async fn stop(self) -> Result<(), Error> {
        close(&self.bus, &self.named, self.on_stop, &self.settings).await
    }
}

impl fmt::Debug for BatchServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.dispatchers.keys().collect();
        f.debug_struct("BatchServer").field("groups", &groups).finish_non_exhaustive()
    }
}
