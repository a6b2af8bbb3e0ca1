//! The layers of a bus, and what passes through none of them.

use std::sync::Arc;

use super::{Origin, PublishLayer};

/// The layers of a bus, in the order in which a published event passes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    pub(super) all: Vec<Arc<dyn PublishLayer>>,
    typed: bool,
    raw: bool,
    deliveries: bool,
    seals: bool,
}

impl Layers {
    pub(super) fn push(&mut self, layer: impl PublishLayer) {
        self.typed |= layer.takes(Origin::Typed);
        self.raw |= layer.takes(Origin::Raw);
        self.deliveries |= layer.takes_deliveries();
        self.seals |= layer.seals();
        self.all.push(Arc::new(layer));
    }

    /// Whether any of them takes events of `origin`.
    pub(super) fn take(&self, origin: Origin) -> bool {
        match origin {
            Origin::Typed => self.typed,
            Origin::Raw => self.raw,
        }
    }

    /// Whether any of them takes deliveries.
    pub(crate) fn take_deliveries(&self) -> bool {
        self.deliveries
    }

    /// Whether any of them seals personal values.
    pub(super) fn seal(&self) -> bool {
        self.seals
    }

    /// Those that deliveries pass through, from the wire inwards.
    pub(crate) fn inwards(&self) -> impl Iterator<Item = &Arc<dyn PublishLayer>> {
        self.all.iter().rev().filter(|layer| layer.takes_deliveries())
    }
}
