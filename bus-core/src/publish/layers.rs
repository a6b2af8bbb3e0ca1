//! The layers of a bus, and what passes through none of them.

use std::sync::Arc;

use super::{Origin, PublishLayer};
use crate::personal::set_in_use;

/// The layers of a bus, in the order in which a published event passes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    pub(super) all: Vec<Arc<dyn PublishLayer>>,
    typed: Passing,
    raw: Passing,
    deliveries: bool,
    opens: bool,
}

/// What layers do with events of one origin.
#[derive(Debug, Clone, Copy, Default)]
struct Passing {
    takes: bool,
    seals: bool,
}

impl Layers {
    pub(super) fn push(&mut self, layer: impl PublishLayer) {
        for (passing, origin) in [(&mut self.typed, Origin::Typed), (&mut self.raw, Origin::Raw)] {
            let takes = layer.takes(origin);
            passing.takes |= takes;
            passing.seals |= takes && layer.seals();
        }
        self.deliveries |= layer.takes_deliveries();
        self.opens |= layer.takes_deliveries() && layer.seals();
        if layer.seals() {
            set_in_use();
        }
        self.all.push(Arc::new(layer));
    }

    /// Whether any of them takes events of `origin`.
    pub(super) fn take(&self, origin: Origin) -> bool {
        self.passing(origin).takes
    }

    /// Whether any of them takes deliveries.
    pub(crate) fn take_deliveries(&self) -> bool {
        self.deliveries
    }

    /// Whether any of them seals personal values of events of `origin`.
    pub(super) fn seal(&self, origin: Origin) -> bool {
        self.passing(origin).seals
    }

    /// Whether any of them opens what was sealed.
    pub(crate) fn open(&self) -> bool {
        self.opens
    }

    fn passing(&self, origin: Origin) -> Passing {
        match origin {
            Origin::Typed => self.typed,
            Origin::Raw => self.raw,
        }
    }

    /// Those that deliveries pass through, from the wire inwards.
    pub(crate) fn inwards(&self) -> impl Iterator<Item = &Arc<dyn PublishLayer>> {
        self.all.iter().rev().filter(|layer| layer.takes_deliveries())
    }
}
