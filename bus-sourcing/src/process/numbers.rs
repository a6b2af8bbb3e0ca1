//! What is counted.

use super::{Handling, ProcessCounts};

/// Counts what became of an input.
pub(super) fn count_input(process: &'static str, handling: Handling) {
    let reason = match handling {
        Handling::Handled | Handling::Completed => {
            metrics::counter!("jitney_process_handled_total", "process" => process).increment(1);
            return count_completed(process, handling);
        }
        Handling::Repeated => "repeated",
        Handling::IgnoredUnknown => "unknown",
        Handling::IgnoredCompleted => "completed",
        Handling::NoKey => return,
    };
    metrics::counter!("jitney_process_ignored_total", "process" => process, "reason" => reason).increment(1);
}

/// Counts what became of a deadline.
pub(super) fn count_deadline(process: &'static str, handling: Handling) {
    if matches!(handling, Handling::Handled | Handling::Completed) {
        metrics::counter!("jitney_process_deadlines_total", "process" => process).increment(1);
        count_completed(process, handling);
    }
}

fn count_completed(process: &'static str, handling: Handling) {
    if handling == Handling::Completed {
        metrics::counter!("jitney_process_completed_total", "process" => process).increment(1);
    }
}

/// Counts an attempt that will fail again.
pub(super) fn count_failed(process: &'static str) {
    metrics::counter!("jitney_process_failed_total", "process" => process).increment(1);
}

/// Counts an input that was put aside.
pub(super) fn count_parked(process: &'static str) {
    metrics::counter!("jitney_process_parked_total", "process" => process).increment(1);
}

/// Shows how the process manager is doing.
pub(super) fn show(process: &'static str, counts: &ProcessCounts) {
    // As exact as a number of things needs to be.
    metrics::gauge!("jitney_process_open", "process" => process).set(counts.open as f64);
    metrics::gauge!("jitney_process_overdue_deadlines", "process" => process).set(counts.overdue as f64);
}
