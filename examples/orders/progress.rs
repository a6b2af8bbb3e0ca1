//! The bar that is shown while the orders are worked on.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on the standard error; it draws nothing where that is no terminal.
pub fn bar() -> ProgressBar {
    let template = "{bar:40} {pos} of {len} orders, {per_sec}, {eta} to go";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// Shows that `done` of `all` orders are done.
pub fn show(bar: &ProgressBar, done: usize, all: usize) {
    bar.set_length(all as u64);
    bar.set_position(done as u64);
}
