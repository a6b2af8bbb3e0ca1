//! What a group has done, counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use serde::Serialize;

use crate::dead_letter::Reason;

/// What a group has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupStats {
    /// Events that a handler has finished with success.
    pub handled: u64,
    /// Attempts behind the first one.
    pub retried: u64,
    /// Events that an idempotent handler had handled before.
    pub duplicates: u64,
    /// Events that became dead letters.
    pub dead_lettered: u64,
    /// Events of types that nobody in the group handles.
    pub skipped: u64,
    /// Events that handlers returned and that were published.
    pub outputs: u64,
}

/// The counters behind [`GroupStats`], and the same numbers for the `metrics` facade.
pub(crate) struct Counters {
    handled: (AtomicU64, Counter),
    retried: (AtomicU64, Counter),
    duplicates: (AtomicU64, Counter),
    dead_lettered: AtomicU64,
    skipped: (AtomicU64, Counter),
    outputs: (AtomicU64, Counter),
    handler_seconds: Histogram,
    in_flight: Gauge,
    lane_depth: Gauge,
    group: String,
}

fn counted(name: &'static str, group: &str) -> (AtomicU64, Counter) {
    (AtomicU64::new(0), metrics::counter!(name, "group" => group.to_owned()))
}

fn add(counter: &(AtomicU64, Counter), number: u64) {
    counter.0.fetch_add(number, Ordering::Relaxed);
    counter.1.increment(number);
}

impl Counters {
    pub(crate) fn new(group: &str) -> Self {
        Counters {
            handled: counted("jitney_handled_total", group),
            retried: counted("jitney_retried_total", group),
            duplicates: counted("jitney_duplicates_total", group),
            dead_lettered: AtomicU64::new(0),
            skipped: counted("jitney_skipped_total", group),
            outputs: counted("jitney_outputs_total", group),
            handler_seconds: metrics::histogram!("jitney_handler_seconds", "group" => group.to_owned()),
            in_flight: metrics::gauge!("jitney_in_flight", "group" => group.to_owned()),
            lane_depth: metrics::gauge!("jitney_lane_depth", "group" => group.to_owned()),
            group: group.to_owned(),
        }
    }

    pub(crate) fn handled(&self, events: usize) {
        add(&self.handled, events as u64);
    }

    pub(crate) fn attempt_took(&self, time: Duration) {
        self.handler_seconds.record(time);
    }

    pub(crate) fn retried(&self) {
        add(&self.retried, 1);
    }

    pub(crate) fn duplicate(&self) {
        add(&self.duplicates, 1);
    }

    pub(crate) fn skipped(&self) {
        add(&self.skipped, 1);
    }

    pub(crate) fn outputs(&self, events: usize) {
        add(&self.outputs, events as u64);
    }

    pub(crate) fn dead_lettered(&self, reason: Reason) {
        self.dead_lettered.fetch_add(1, Ordering::Relaxed);
        let labels = [("group", self.group.clone()), ("reason", reason.as_str().to_owned())];
        metrics::counter!("jitney_dead_lettered_total", &labels).increment(1);
    }

    /// Events that are fetched and not settled, while so many lanes run: the others wait behind them.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn in_flight(&self, events: usize, running: usize) {
        self.in_flight.set(events as f64);
        self.lane_depth.set(events.saturating_sub(running) as f64);
    }

    pub(crate) fn snapshot(&self) -> GroupStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        GroupStats {
            handled: read(&self.handled.0),
            retried: read(&self.retried.0),
            duplicates: read(&self.duplicates.0),
            dead_lettered: read(&self.dead_lettered),
            skipped: read(&self.skipped.0),
            outputs: read(&self.outputs.0),
        }
    }
}
