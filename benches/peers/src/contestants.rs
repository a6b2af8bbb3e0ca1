//! The list of contestants.

use crate::contestant::Contestant;
use crate::{floor, floor_payload, jitney, ruststream_envelope, ruststream_memory};

/// The contestants, in the order they run within a round. The first is the floor of all ratios.
pub const ALL: &[Contestant] = &[
    floor::CONTESTANT,
    floor_payload::CONTESTANT,
    ruststream_memory::SEQUENTIAL,
    ruststream_memory::KEYED,
    ruststream_envelope::CONTESTANT,
    jitney::CONTESTANT,
];
