//! The tables, each contestant beside the first.

use serde::Serialize;

use super::measure::{Measured, Work};
use crate::quartiles::Quartiles;
use crate::table::{Row, Table};

/// What is printed of one contestant at one kind of work.
#[derive(Debug, Serialize)]
pub struct Figures {
    work: String,
    contestant: &'static str,
    per_second: f64,
    of_the_floor: f64,
    quartiles: [f64; 2],
    p50_us: u32,
    p99_us: u32,
}

/// The figures of those who took part; ratios are taken within a round.
pub fn figures(work: Work, measured: &[Measured]) -> Vec<Figures> {
    let Some(floor) = measured.first() else { return Vec::new() };
    let of = |one: &Measured| {
        let rates: Vec<f64> = one.laps.iter().map(|lap| lap.rate()).collect();
        let ratios: Vec<f64> =
            one.laps.iter().zip(&floor.laps).map(|(lap, floor)| lap.rate() / floor.rate()).collect();
        let ratios = Quartiles::of(&ratios);
        let mut latencies: Vec<u32> = one.laps.iter().flat_map(|lap| lap.latencies.iter().copied()).collect();
        latencies.sort_unstable();
        let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
        Figures {
            work: title(work),
            contestant: one.name,
            per_second: Quartiles::of(&rates).median,
            of_the_floor: ratios.median,
            quartiles: [ratios.low, ratios.high],
            p50_us: at(50),
            p99_us: at(99),
        }
    };
    measured.iter().map(of).collect()
}

/// Prints one table.
pub fn print(work: Work, figures: &[Figures]) {
    let with_latency = work != Work::ReadAll;
    let title = title(work);
    let mut head = vec![&*title, unit(work), "of the first", "quartiles"];
    if with_latency {
        head.extend(["p50, ms", "p99, ms"]);
    }
    let rows: Vec<Row> = figures
        .iter()
        .map(|one| {
            let [low, high] = one.quartiles;
            let mut row = vec![
                one.contestant.to_owned(),
                format!("{:.0}", one.per_second),
                format!("{:.3}", one.of_the_floor),
                format!("{low:.3} to {high:.3}"),
            ];
            if with_latency {
                let ms = |us| format!("{:.2}", f64::from(us) / 1_000.0);
                row.extend([ms(one.p50_us), ms(one.p99_us)]);
            }
            row
        })
        .collect();
    println!("\n{}", Table { head: &head, rows: &rows });
}

fn title(work: Work) -> String {
    let clients = |clients| if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") };
    match work {
        Work::Command { clients: n } => format!("one event a command, {}", clients(n)),
        Work::Append { clients: n } => format!("append of one event, {}", clients(n)),
        Work::Load { with_snapshot: false } => "load of 1,000 events".to_owned(),
        Work::Load { with_snapshot: true } => "load, 100 events behind the snapshot".to_owned(),
        Work::ReadAll => "global read".to_owned(),
    }
}

fn unit(work: Work) -> &'static str {
    match work {
        Work::Command { .. } => "commands/s, median",
        Work::Append { .. } => "appends/s, median",
        Work::Load { .. } => "loads/s, median",
        Work::ReadAll => "events/s, median",
    }
}
