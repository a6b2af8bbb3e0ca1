//! The bar that is shown while the orders are worked on.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on the standard error; it draws nothing where that is no terminal.
pub fn bar() -> ProgressBar {
    ProgressBar::new(0).with_style(style("{bar:40} {pos} of {len} orders, {per_sec}, {eta} to go"))
}

/// Has `bar` show events, at a rate that is told.
pub fn of_events(bar: &ProgressBar) {
    bar.set_style(style("{bar:40} {pos} of {len} events, {msg}"));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Shows that `done` of `all` orders are done.
pub fn show(bar: &ProgressBar, done: usize, all: usize) {
    bar.set_length(all as u64);
    bar.set_position(done as u64);
}
