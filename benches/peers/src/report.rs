//! The tables, as Markdown that also reads well in a terminal.

use std::fmt::{self, Write};
use std::thread;

use crate::contestant::{ALL, Contestant, Failure};
use crate::instructions::Count;
use crate::measure::{Measured, Quartiles, Setting};

/// A row of cells.
type Row = Vec<String>;

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
        "allocations/event",
        "bytes/event",
        "peak held KiB",
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
    writeln!(text, "- peak held: the most heap held at once above what was held before the first publish")?;
    writeln!(text, "- peak resident: of a process that runs this contestant alone")?;
    writeln!(text)?;
    for contestant in ALL {
        writeln!(text, "{}", legend(contestant))?;
    }
    Ok(text)
}

/// The report of the instruction counts.
pub fn instructions(counts: &[Count]) -> String {
    let floor = |name| counts.iter().find(|count| count.contestant.name == name);
    let times = |count: &Count, name| match floor(name) {
        Some(floor) => format!("{:.3}", count.per_event / floor.per_event),
        None => "-".to_owned(),
    };
    let rows: Vec<Row> = counts
        .iter()
        .map(|count| {
            vec![
                count.contestant.name.to_owned(),
                format!("{:.0}", count.per_event),
                times(count, ALL[0].name),
                times(count, count.contestant.equal_work),
            ]
        })
        .collect();
    let head = ["contestant", "instructions/event", "times the floor", "times its own floor"];
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
        format!("{:.2}", one.allocations.blocks as f64 / events as f64),
        format!("{:.0}", one.allocations.bytes as f64 / events as f64),
        format!("{}", one.allocations.peak / 1_024),
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

/// A Markdown table with its columns lined up: the first to the left, the others to the right.
struct Table<'a> {
    head: &'a [&'a str],
    rows: &'a [Row],
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                self.rows.iter().map(|row| row[column].len()).fold(self.head[column].len(), usize::max)
            })
            .collect();
        let head: Row = self.head.iter().map(|&title| title.to_owned()).collect();
        line(f, &head, &widths)?;
        for (column, width) in widths.iter().enumerate() {
            match column {
                0 => write!(f, "|:{}-", "-".repeat(*width))?,
                _ => write!(f, "|-{}:", "-".repeat(*width))?,
            }
        }
        writeln!(f, "|")?;
        self.rows.iter().try_for_each(|row| line(f, row, &widths))
    }
}

fn line(f: &mut fmt::Formatter<'_>, cells: &Row, widths: &[usize]) -> fmt::Result {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        match column {
            0 => write!(f, "| {cell:<width$} ")?,
            _ => write!(f, "| {cell:>width$} ")?,
        }
    }
    writeln!(f, "|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let rows = [vec!["floor".to_owned(), "1".to_owned()], vec!["b".to_owned(), "12345".to_owned()]];
        let table = Table { head: &["name", "rate"], rows: &rows };
        assert_eq!(
            table.to_string(),
            "| name  |  rate |\n|:------|------:|\n| floor |     1 |\n| b     | 12345 |\n"
        );
    }
}
