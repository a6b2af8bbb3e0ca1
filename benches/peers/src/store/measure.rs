//! The rounds: every contestant in turn, in changing order, and how long its work took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::subject::{ALL, Failure, LONG, Subject};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// One event a command, the account loaded first, by so many clients at once.
    Command { clients: usize },
    /// One event appended, by so many clients at once.
    Append { clients: usize },
    /// The account with [`LONG`] events loaded.
    Load { with_snapshot: bool },
    /// All events read.
    ReadAll,
}

/// So many commands are for one account, before the next one.
const COMMANDS_PER_ACCOUNT: usize = 10;

/// What one contestant did in one round.
#[derive(Debug, Default)]
pub struct Lap {
    pub seconds: f64,
    /// Commands, appends, loads, or events read.
    pub count: usize,
    /// Of each of them but the events, in microseconds.
    pub latencies: Vec<u32>,
}

impl Lap {
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.seconds
    }
}

/// A contestant, and whether it takes part.
pub struct Contestant {
    pub name: &'static str,
    pub subject: Arc<dyn Subject>,
    pub takes_part: fn(Work) -> bool,
}

/// The laps of a contestant.
pub struct Measured {
    pub name: &'static str,
    pub laps: Vec<Lap>,
}

/// Has those take turns that take part in `work`: once to warm up, and then so many rounds, each for `lap`.
pub async fn take_turns(
    work: Work,
    contestants: &[Contestant],
    rounds: usize,
    lap: Duration,
) -> Result<Vec<Measured>, Failure> {
    let those: Vec<_> = contestants.iter().filter(|one| (one.takes_part)(work)).collect();
    let mut measured: Vec<_> =
        those.iter().map(|one| Measured { name: one.name, laps: Vec::new() }).collect();
    for round in 0..=rounds {
        for place in 0..those.len() {
            let index = (place + round) % those.len();
            let one = those[index];
            let done = run(work, &one.subject, &format!("{}-{work:?}-{round}", one.name), lap).await;
            let done = done.map_err(|error| format!("{} at {work:?}: {error}", one.name))?;
            eprintln!("{work:?} {:28} {:10.0}/s", one.name, done.rate());
            if round > 0 {
                measured[index].laps.push(done);
            }
        }
    }
    Ok(measured)
}

async fn run(work: Work, subject: &Arc<dyn Subject>, name: &str, lap: Duration) -> Result<Lap, Failure> {
    let began = Instant::now();
    let clients = match work {
        Work::Command { clients } | Work::Append { clients } => clients,
        Work::Load { .. } | Work::ReadAll => 1,
    };
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            tokio::spawn(one_client(work, Arc::clone(subject), format!("{name}-{client}"), began + lap))
        })
        .collect();
    let mut all = Lap::default();
    for task in tasks {
        let lap = task.await??;
        all.count += lap.count;
        all.latencies.extend(lap.latencies);
    }
    all.seconds = began.elapsed().as_secs_f64();
    Ok(all)
}

async fn one_client(
    work: Work,
    subject: Arc<dyn Subject>,
    name: String,
    end: Instant,
) -> Result<Lap, Failure> {
    let mut lap = Lap::default();
    loop {
        let began = Instant::now();
        if began >= end && lap.count > 0 {
            return Ok(lap);
        }
        lap.count += match work {
            Work::Command { .. } => {
                subject.command(&format!("{name}-{}", lap.count / COMMANDS_PER_ACCOUNT)).await?;
                1
            }
            Work::Append { .. } => {
                subject.append(&format!("{name}-{}", lap.count / COMMANDS_PER_ACCOUNT)).await?;
                1
            }
            Work::Load { with_snapshot } => {
                expect(subject.load(with_snapshot).await?, LONG as u64)?;
                1
            }
            Work::ReadAll => {
                expect(subject.read_all().await? as u64, ALL as u64)?;
                ALL
            }
        };
        lap.latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}

/// A contestant that does not do its work has no rate.
fn expect(found: u64, wanted: u64) -> Result<(), Failure> {
    if found == wanted { Ok(()) } else { Err(format!("it came to {found} and not to {wanted}").into()) }
}
