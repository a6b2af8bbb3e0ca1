//! The proof that a forgotten customer is nowhere: orders with names and phones on every bus and store, and a search of everything that
//! they have left behind.

#![allow(clippy::unwrap_used, unreachable_pub)]

// As much as it takes to run it here.
#[allow(dead_code)]
#[path = "../examples/orders/main.rs"]
mod orders;
#[path = "postgres_store/server.rs"]
#[allow(dead_code)]
mod server;

mod proof {
    mod combinations;
    mod found;
    mod input;
    mod log;
    mod places;
    mod shop;
    mod spy;
}
