//! The list of contestants: the floor, and the library. `benches/peers` has more.

use crate::contestant::Contestant;
#[cfg(feature = "validation")]
use crate::validated;
use crate::{floor, jitney};

/// The contestants, in the order they run within a round. The first is the floor of all ratios.
pub const ALL: &[Contestant] = &[
    floor::CONTESTANT,
    jitney::CONTESTANT,
    #[cfg(feature = "validation")]
    validated::CONTESTANT,
];
