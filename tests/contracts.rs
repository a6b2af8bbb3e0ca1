//! The contract of the order service, in `examples/orders/schemas`, and what it says of changes to its events.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod contracts {
    mod application;
    mod changed;
    #[allow(dead_code)]
    mod orders;
}
