//! The rounds: every contestant in turn, again and again, and the statistics over them.
//!
//! Before the timed rounds comes one that counts allocations; it is also the warm-up. The rounds are
//! interleaved and the ratios are taken within a round, so that a slow spell of the machine moves
//! both sides of a ratio.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::allocations::{self, Allocations};
use crate::contestant::{ALL, Contestant, Failure, Lap, Workload};
use crate::single;

/// How long a run may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(300);

/// What holds for every run of every contestant.
#[derive(Debug, Clone)]
pub struct Setting {
    pub events: u64,
    pub window: usize,
    pub threads: usize,
}

impl Setting {
    pub fn workload(&self) -> Arc<Workload> {
        Workload::new(self.events, self.window)
    }

    /// The runtime, the same for all: fresh for a run, so that no run inherits another's tasks.
    fn runtime(&self) -> Result<Runtime, Failure> {
        let mut builder = match self.threads {
            1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        if self.threads > 1 {
            builder.worker_threads(self.threads);
        }
        Ok(builder.enable_all().build()?)
    }
}

/// What one contestant came to.
#[derive(Debug)]
pub struct Measured {
    pub contestant: &'static Contestant,
    /// Seconds, one for a round.
    pub seconds: Vec<f64>,
    /// What the events of the counting round allocated.
    pub allocations: Allocations,
    /// The peak resident memory of a process that runs this contestant alone, in KiB.
    pub resident: Option<u64>,
}

impl Measured {
    /// How many events a second, round by round.
    pub fn rates(&self, events: u64) -> Vec<f64> {
        self.seconds.iter().map(|seconds| events as f64 / seconds).collect()
    }

    /// This contestant's rate as a share of `other`'s in the same round.
    pub fn share_of(&self, other: &Self) -> Vec<f64> {
        self.seconds.iter().zip(&other.seconds).map(|(mine, theirs)| theirs / mine).collect()
    }
}

/// Runs `contestant` once.
pub fn once(contestant: &Contestant, setting: &Setting, work: &Arc<Workload>) -> Result<Lap, Failure> {
    let runtime = setting.runtime()?;
    let run = (contestant.run)(Arc::clone(work));
    let finished = runtime.block_on(async { timeout(PATIENCE, run).await });
    let lap = finished.map_err(|_| format!("{} did not finish within {PATIENCE:?}", contestant.name))?;
    lap.and_then(|lap| lap.verified(work)).map_err(|failure| format!("{}: {failure}", contestant.name).into())
}

/// Runs every contestant `rounds` times, interleaved.
pub fn rounds(setting: &Setting, rounds: usize) -> Result<Vec<Measured>, Failure> {
    let work = setting.workload();
    let mut measured = Vec::new();
    for contestant in ALL {
        eprintln!("counting the allocations of {}", contestant.name);
        allocations::count(true);
        let lap = once(contestant, setting, &work);
        allocations::count(false);
        let resident = single::resident(contestant, setting)?;
        measured.push(Measured { contestant, seconds: Vec::new(), allocations: lap?.allocations, resident });
    }
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for one in &mut measured {
            one.seconds.push(once(one.contestant, setting, &work)?.elapsed.as_secs_f64());
        }
    }
    Ok(measured)
}

/// The middle of a set of figures, and the middle of either half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Quartiles {
    /// The quartiles of `figures`, of which there is at least one.
    pub fn of(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { low: quantile(&sorted, 0.25), median: quantile(&sorted, 0.5), high: quantile(&sorted, 0.75) }
    }
}

/// The figure at `share` of the way through `sorted`, between two figures where it falls between.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    below + (above - below) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_fall_on_and_between_figures() {
        let odd = Quartiles::of(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(odd, Quartiles { low: 2.0, median: 3.0, high: 4.0 });
        let even = Quartiles::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(even, Quartiles { low: 1.75, median: 2.5, high: 3.25 });
        assert_eq!(Quartiles::of(&[7.0]), Quartiles { low: 7.0, median: 7.0, high: 7.0 });
    }

    #[test]
    fn every_contestant_handles_every_event_on_either_runtime() {
        for threads in [1, 2] {
            for window in [1, 64] {
                let setting = Setting { events: 2_500, window, threads };
                let work = setting.workload();
                for contestant in ALL {
                    once(contestant, &setting, &work).unwrap();
                }
            }
        }
    }
}
