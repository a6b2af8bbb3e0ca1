//! What a comparison prints.

use std::fmt::Write;
use std::thread;

use crate::contestant::{Contestant, Failure};
use crate::contestants::ALL;
use crate::counts::Count;
use crate::measure::{Measured, Setting};
use crate::quartiles::Quartiles;
use crate::table::{Row, Table};

/// The report of the timed rounds.
pub fn rounds(measured: &[Measured], setting: &Setting, rounds: usize) -> Result<String, Failure> {
    let mut text = String::new();
    writeln!(text, "{}", circumstances(setting, rounds)?)?;

    let head = [
        "contestant",
        "events/s, median",
        "quartiles",
        "ns/event",
        "of the floor",
        "of its own floor",
        "peak resident KiB",
    ];
    let rows: Vec<Row> = measured.iter().map(|one| row(one, measured, setting)).collect();
    write!(text, "{}", Table { head: &head, rows: &rows })?;
    writeln!(text)?;
    writeln!(
        text,
        "- of the floor: the rate as a share of `{}` in the same round, the median of the rounds",
        ALL[0].name
    )?;
    writeln!(text, "- of its own floor: the same against the floor that does equal work, named below")?;
    writeln!(text, "- peak resident: of a process that runs this contestant alone")?;
    writeln!(text)?;
    for contestant in ALL {
        writeln!(text, "{}", legend(contestant))?;
    }
    Ok(text)
}

/// The report of the counts.
pub fn counts(counts: &[Count]) -> String {
    let floor = |name| counts.iter().find(|count| count.contestant.name == name);
    let times = |count: &Count, name| match floor(name) {
        Some(floor) => format!("{:.3}", count.instructions / floor.instructions),
        None => "-".to_owned(),
    };
    let rows: Vec<Row> = counts
        .iter()
        .map(|count| {
            vec![
                count.contestant.name.to_owned(),
                format!("{:.0}", count.instructions),
                times(count, ALL[0].name),
                times(count, count.contestant.equal_work),
                format!("{:.2}", count.allocations),
                format!("{:.0}", count.bytes),
            ]
        })
        .collect();
    let head = [
        "contestant",
        "instructions/event",
        "times the floor",
        "times its own floor",
        "allocations/event",
        "bytes/event",
    ];
    Table { head: &head, rows: &rows }.to_string()
}

fn row(one: &Measured, all: &[Measured], setting: &Setting) -> Row {
    let events = setting.events;
    let rates = Quartiles::of(&one.rates(events));
    let share = |name| match all.iter().find(|other| other.contestant.name == name) {
        Some(floor) => format!("{:.3}", Quartiles::of(&one.share_of(floor)).median),
        None => "-".to_owned(),
    };
    let spread = (rates.high - rates.low) / rates.median * 100.0;
    vec![
        one.contestant.name.to_owned(),
        format!("{:.0}", rates.median),
        format!("{:.0} to {:.0} ({spread:.1} %)", rates.low, rates.high),
        format!("{:.0}", 1e9 / rates.median),
        share(ALL[0].name),
        share(one.contestant.equal_work),
        one.resident.map_or_else(|| "-".to_owned(), |kib| kib.to_string()),
    ]
}

/// What the figures hold for.
fn circumstances(setting: &Setting, rounds: usize) -> Result<String, Failure> {
    let runtime = match setting.threads {
        1 => "a current-thread tokio runtime".to_owned(),
        threads => format!("a tokio runtime of {threads} worker threads"),
    };
    let hardware = thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |n| n.to_string());
    Ok(format!(
        "{rounds} interleaved rounds of {} events, bodies of {} bytes on average, at most {} in flight,\n\
         each contestant on {runtime}; {} {}, hardware threads: {hardware}\n",
        setting.events,
        setting.workload().mean_body()?,
        setting.window,
        std::env::consts::ARCH,
        std::env::consts::OS,
    ))
}

fn legend(contestant: &Contestant) -> String {
    let floor = match contestant.equal_work {
        own if own == contestant.name => String::new(),
        other => format!(" (equal work: `{other}`)"),
    };
    format!("- `{}`{floor}: {}", contestant.name, contestant.does)
}
