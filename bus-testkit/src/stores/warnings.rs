//! Warnings that are logged while something is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

/// Counts the warnings of this thread, for as long as it lives.
pub(super) struct Warnings {
    count: Arc<AtomicUsize>,
    _guard: DefaultGuard,
}

impl Warnings {
    pub(super) fn count_from_now() -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let _guard = tracing::subscriber::set_default(Counts(Arc::clone(&count)));
        Warnings { count, _guard }
    }

    /// How many there were so far.
    pub(super) fn so_far(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

struct Counts(Arc<AtomicUsize>);

impl Subscriber for Counts {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
