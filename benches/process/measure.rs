//! The rounds: every contestant in turn, again and again, and what they took.
//!
//! Before the timed rounds each contestant runs once as a warm-up, and once alone in a process, which
//! tells its peak of resident memory. The rounds are interleaved and the ratios are taken within a round, so that a slow spell of the machine moves
//! both sides of a ratio.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::contestant::{Contestant, Failure, Lap, Workload};
use crate::contestants::ALL;
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
    pub fn runtime(&self) -> Result<Runtime, Failure> {
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
        eprintln!("warming {} up", contestant.name);
        once(contestant, setting, &work)?;
        let resident = single::resident(contestant, setting)?;
        measured.push(Measured { contestant, seconds: Vec::new(), resident });
    }
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for one in &mut measured {
            one.seconds.push(once(one.contestant, setting, &work)?.elapsed.as_secs_f64());
        }
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

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
