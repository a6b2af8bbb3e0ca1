//! Events whose schemas are in a registry: a real one, asked by us and by a client that is not ours.

#![allow(clippy::unwrap_used)]

mod registry {
    mod bad_answers;
    mod foreign;
    mod journey;
    mod outages;
    mod round_trip;
    mod scene;
    mod start;
    #[cfg(feature = "validation")]
    mod validated;
}
