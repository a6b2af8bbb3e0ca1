//! The tables.

use crate::command::Setting;
use crate::contestant::Lap;
use crate::measure::Measured;
use crate::quartiles::Quartiles;
use crate::table::{Row, Table};

/// Prints what was measured, each contestant beside the first.
pub fn print(setting: &Setting, measured: &[Measured]) {
    for (direction, laps) in [
        ("produce", measured.iter().map(|one| (one.name, &one.produce)).collect::<Vec<_>>()),
        ("consume", measured.iter().map(|one| (one.name, &one.consume)).collect::<Vec<_>>()),
    ] {
        let Some((_, floor)) = laps.first().filter(|(_, laps)| !laps.is_empty()) else { continue };
        let rows: Vec<Row> = laps.iter().map(|(name, laps)| row(name, laps, floor, setting.events)).collect();
        let head =
            ["events/s, median", "of the raw rate", "quartiles", "CPU s per million", "of the raw CPU"];
        let head: Vec<&str> = std::iter::once(direction).chain(head).collect();
        println!("\n{}", Table { head: &head, rows: &rows });
    }
    for one in measured {
        let (first, last) = (one.resident.first().unwrap_or(&0), one.resident.last().unwrap_or(&0));
        println!("resident behind the runs of {}: {first} MiB at first, {last} MiB at last", one.name);
    }
}

fn row(name: &str, laps: &[Lap], floor: &[Lap], events: u64) -> Row {
    let rate = |lap: &Lap| events as f64 / lap.elapsed.as_secs_f64();
    let cpu = |lap: &Lap| lap.cpu.as_secs_f64() * 1e6 / events as f64;
    let rates = Quartiles::of(&laps.iter().map(rate).collect::<Vec<_>>());
    let ratios =
        Quartiles::of(&laps.iter().zip(floor).map(|(lap, raw)| rate(lap) / rate(raw)).collect::<Vec<_>>());
    let used = Quartiles::of(&laps.iter().map(cpu).collect::<Vec<_>>());
    let ratio_used =
        Quartiles::of(&laps.iter().zip(floor).map(|(lap, raw)| cpu(lap) / cpu(raw)).collect::<Vec<_>>());
    vec![
        name.to_owned(),
        format!("{:.0}", rates.median),
        format!("{:.3}", ratios.median),
        format!("{:.3} to {:.3}", ratios.low, ratios.high),
        format!("{:.2}", used.median),
        format!("{:.2}", ratio_used.median),
    ]
}
