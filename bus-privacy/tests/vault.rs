//! The vault: what it seals opens in its place alone, and forgetting is finished whatever comes between.

#![allow(clippy::unwrap_used)]

mod vault {
    mod bad_input;
    mod fixture;
    mod forgetting;
    mod keys_at_hand;
    mod payloads;
    mod rotation;
    mod round_trip;
}
