//! A run in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::index::Index;

/// A run in numbers, over all groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Different events that someone tried to publish.
    pub published: usize,
    /// Those of them that were acked.
    pub acked: usize,
    /// Different events that came, counted per group.
    pub delivered: usize,
    /// Deliveries beyond the first of each event and group.
    pub duplicates: usize,
    /// First deliveries that came after a later event of their key, allowed or not.
    pub out_of_order: usize,
    /// Acked events that did not arrive, counted per group.
    pub lost: usize,
    /// The longest time in which a group got nothing, between two deliveries.
    pub longest_gap: Duration,
}

impl Summary {
    /// The numbers that need no judgement; `lost` and `out_of_order` are still to be filled in.
    pub(super) fn of(index: &Index<'_>) -> Self {
        let deliveries: usize = index.deliveries.values().map(Vec::len).sum();
        Summary {
            published: index.publishes.len(),
            acked: index.publishes.keys().filter(|event| index.acked(event)).count(),
            delivered: index.deliveries.len(),
            duplicates: deliveries - index.deliveries.len(),
            longest_gap: longest_gap(index),
            ..Summary::default()
        }
    }
}

fn longest_gap(index: &Index<'_>) -> Duration {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    let mut longest = 0;
    for &group in index.topics.keys() {
        for delivered in index.of_group(group) {
            let millis = delivered.record.millis;
            let before = last.insert(group, millis).unwrap_or(millis);
            longest = longest.max(millis - before);
        }
    }
    Duration::from_millis(u64::try_from(longest).unwrap_or(0))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { published, acked, delivered, duplicates, out_of_order, lost, longest_gap } = self;
        write!(
            f,
            "published {published}, acked {acked}, delivered {delivered}, duplicates {duplicates}, out of order \
             {out_of_order}, lost {lost}, longest gap {} ms",
            longest_gap.as_millis()
        )
    }
}
