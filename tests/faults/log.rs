//! What processes log, in the order of its time: for whoever looks for the reason of a failure.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use jitney::Env;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes each event of ours to the standard error, and takes no notice of spans.
struct Log(Env);

/// Begins to log; nothing happens where that has begun.
pub(crate) fn begin() {
    let _ = tracing::subscriber::set_global_default(Log(Env::system()));
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = if field.name() == "message" { String::new() } else { format!("{}=", field.name()) };
        write!(self.0, " {name}{value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::DEBUG && metadata.target().starts_with("jitney")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", self.0.now(), event.metadata().level()));
        event.record(&mut line);
        line.0.push('\n');
        // Nobody reads the log of a process whose parent is gone.
        let _ = std::io::stderr().write_all(line.0.as_bytes());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
