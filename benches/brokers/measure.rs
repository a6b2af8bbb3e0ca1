//! The rounds: every contestant in turn, in changing order, and what they took.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::broker::Broker;
use crate::command::Setting;
use crate::contestant::{Contestant, Failure, Lap, Running, Workload};
use crate::jitney::{delete_group, make_group};

/// How long a run may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(300);

/// What one contestant came to, a lap a round.
pub struct Measured {
    pub name: &'static str,
    pub produce: Vec<Lap>,
    pub consume: Vec<Lap>,
    /// Resident memory behind each round, in MiB.
    pub resident: Vec<u64>,
}

type Run = fn(Arc<Workload>) -> Running;

/// Runs every contestant once to warm up, and then the rounds.
pub fn measure(setting: &Setting, contestants: &[&'static Contestant]) -> Result<Vec<Measured>, Failure> {
    let broker = Broker::find()?;
    runtime()?.block_on(broker.prepare())?;
    let mut measured: Vec<_> = contestants
        .iter()
        .map(|one| Measured {
            name: one.name,
            produce: Vec::new(),
            consume: Vec::new(),
            resident: Vec::new(),
        })
        .collect();
    if Broker::KEEPS_EVENTS {
        // What is consumed is what the first contestant publishes here.
        eprintln!("publishing {} events to be consumed", setting.events);
        lap(&broker, setting, contestants[0].produce, "fill")?;
    }
    let consuming = if setting.consume { setting.rounds } else { 0 };
    take_turns(
        "consume",
        consuming,
        contestants,
        &mut measured,
        |one| &mut one.consume,
        |one, round| consume(&broker, setting, one, contestants[0], round),
    )?;
    let producing = if setting.produce { setting.rounds } else { 0 };
    take_turns(
        "produce",
        producing,
        contestants,
        &mut measured,
        |one| &mut one.produce,
        |one, _| produce(&broker, setting, one),
    )?;
    Ok(measured)
}

/// Runs every contestant once to warm up, and then so many rounds, in changing order.
fn take_turns(
    direction: &str,
    rounds: usize,
    contestants: &[&'static Contestant],
    measured: &mut [Measured],
    laps: fn(&mut Measured) -> &mut Vec<Lap>,
    run: impl Fn(&Contestant, usize) -> Result<Lap, Failure>,
) -> Result<(), Failure> {
    for round in 0..=rounds {
        for place in 0..contestants.len() {
            let index = (place + round) % contestants.len();
            let lap = run(contestants[index], round)?;
            eprintln!(
                "{direction} {:10} {:6.3} s  {:6.3} CPU s",
                contestants[index].name,
                lap.elapsed.as_secs_f64(),
                lap.cpu.as_secs_f64()
            );
            if round > 0 {
                laps(&mut measured[index]).push(lap);
                measured[index].resident.push(resident());
            }
        }
    }
    Ok(())
}

/// Publishes, to a broker that stores it.
fn produce(broker: &Broker, setting: &Setting, one: &Contestant) -> Result<Lap, Failure> {
    if Broker::KEEPS_EVENTS {
        return lap(broker, setting, one.produce, "produce");
    }
    let work = workload(broker, setting, "produce");
    runtime()?.block_on(make_group(&work))?;
    let produced = lap(broker, setting, one.produce, "produce");
    runtime()?.block_on(delete_group(&work))?;
    produced
}

/// Consumes what is there, or what is published for this once.
fn consume(
    broker: &Broker,
    setting: &Setting,
    one: &Contestant,
    first: &Contestant,
    round: usize,
) -> Result<Lap, Failure> {
    let name = format!("{}-{round}", one.name);
    if Broker::KEEPS_EVENTS {
        return lap(broker, setting, one.consume, &name);
    }
    let work = workload(broker, setting, &name);
    runtime()?.block_on(make_group(&work))?;
    lap(broker, setting, first.produce, "fill")?;
    let consumed = lap(broker, setting, one.consume, &name);
    runtime()?.block_on(delete_group(&work))?;
    consumed
}

fn workload(broker: &Broker, setting: &Setting, name: &str) -> Arc<Workload> {
    let prefix = format!("bench-{}-{}", name.replace(", ", "-"), std::process::id());
    Workload::new(&broker.address, setting.events, prefix)
}

fn lap(broker: &Broker, setting: &Setting, run: Run, name: &str) -> Result<Lap, Failure> {
    let work = workload(broker, setting, name);
    runtime()?.block_on(async {
        tokio::time::timeout(PATIENCE, run(work)).await.map_err(|_| format!("`{name}` is stuck"))?
    })
}

/// One thread, the same for all: the raw loops have one as well, beside those of librdkafka.
fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}
