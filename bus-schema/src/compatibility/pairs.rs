//! Pairs of schemas: those that are being compared, and those that are known to be compatible.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// A pair by the places of its schemas, which do not move while they are compared.
pub(super) type Pair = (Vec<*const Value>, Vec<*const Value>);

/// What is known of pairs.
#[derive(Default)]
pub(super) struct Pairs {
    /// Those that are being compared, with their depth.
    open: HashMap<Pair, usize>,
    /// For each of them by depth, the least depth that was taken for compatible inside of it.
    assumed: Vec<usize>,
    compatible: HashSet<Pair>,
}

/// What is known of one pair.
pub(super) enum Outcome {
    /// It is compatible, or taken for that.
    Known,
    /// It is to be compared.
    New(Pair),
}

impl Pairs {
    /// How many pairs are being compared.
    pub(super) fn depth(&self) -> usize {
        self.assumed.len()
    }

    pub(super) fn enter(&mut self, writer: &[&Value], reader: &[&Value]) -> Outcome {
        let places = |schemas: &[&Value]| schemas.iter().map(|schema| std::ptr::from_ref(*schema)).collect();
        let pair: Pair = (places(writer), places(reader));
        if self.compatible.contains(&pair) {
            return Outcome::Known;
        }
        if let Some(&depth) = self.open.get(&pair) {
            self.assume(depth);
            return Outcome::Known;
        }
        let depth = self.assumed.len();
        self.open.insert(pair.clone(), depth);
        self.assumed.push(usize::MAX);
        Outcome::New(pair)
    }

    /// A pair is remembered only where nothing outside of it was taken for granted.
    pub(super) fn leave(&mut self, pair: Pair, compatible: bool) {
        let depth = self.open.remove(&pair).unwrap_or_default();
        let assumed = self.assumed.pop().unwrap_or(usize::MAX);
        if assumed < depth {
            self.assume(assumed);
        } else if compatible {
            self.compatible.insert(pair);
        }
    }

    fn assume(&mut self, depth: usize) {
        if let Some(least) = self.assumed.last_mut() {
            *least = depth.min(*least);
        }
    }
}
