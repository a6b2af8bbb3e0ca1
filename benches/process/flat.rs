//! Whether memory stays flat: five million events on a bus with the settings that it has unless told otherwise.
//!
//! The bus holds what is not settled and a bounded history for replay. Both are full long before the first million is
//! handled, so what is resident then is what there will be.

use std::process::ExitCode;
use std::sync::Arc;

use jitney::Bus;
use jitney::memory::Memory;

use crate::contestant::{Failure, Workload};
use crate::measure::Setting;
use crate::memory;
use crate::tally::Tally;

const MILLION: u64 = 1_000_000;
const MILLIONS: u64 = 5;

/// Prints the resident memory behind each million of events.
pub fn run() -> ExitCode {
    match sample() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn sample() -> Result<(), Failure> {
    let setting = Setting { events: MILLION, window: usize::MAX, threads: 1 };
    let work = setting.workload();
    setting.runtime()?.block_on(publish_and_sample(work))
}

async fn publish_and_sample(work: Arc<Workload>) -> Result<(), Failure> {
    let tally = Tally::shared();
    let app = crate::jitney::start(Bus::new(Memory::builder().build()), &tally).await?;
    println!("| million events handled | resident KiB |\n|-----------------------:|-------------:|");
    for millions in 1..=MILLIONS {
        tokio::spawn(crate::jitney::publish(Arc::clone(&work), app.bus().clone())).await??;
        tally.until(millions * MILLION).await;
        let kib = memory::own_memory("VmRSS:").ok_or("reading /proc/self/status: Linux alone tells this")?;
        println!("| {millions:>22} | {kib:>12} |");
    }
    app.shutdown().await?;
    Ok(())
}
