//! The order service of `examples/orders`, run in the test's own process, and on brokers as processes, on real input: the 830 Northwind orders.
//!
//! The figures were computed from the data by another program, with exact decimals.

#![allow(clippy::unwrap_used, unreachable_pub)]

// The example's own main is not called here.
#[allow(dead_code)]
#[path = "../examples/orders/main.rs"]
mod orders;

#[path = "orders/bench.rs"]
mod bench;
#[cfg(all(any(feature = "eventbridge", feature = "kafka", feature = "rabbitmq"), unix))]
#[path = "orders/brokers.rs"]
mod brokers;
#[path = "orders/command_line.rs"]
mod command_line;
#[path = "orders/figures.rs"]
mod figures;
#[path = "orders/history.rs"]
mod history;
#[path = "orders/order.rs"]
mod order;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
#[path = "orders/order_book.rs"]
mod order_book;
#[cfg(all(
    any(
        feature = "eventbridge",
        feature = "kafka",
        feature = "postgres",
        feature = "rabbitmq",
        feature = "sqlite"
    ),
    unix
))]
#[allow(dead_code, reason = "brokers take more of it than stores")]
#[path = "orders/process.rs"]
mod process;
#[cfg(all(feature = "kafka", unix))]
#[path = "orders/processes.rs"]
mod processes;
#[path = "orders/read_model.rs"]
mod read_model;
#[path = "orders/services.rs"]
mod services;
#[path = "orders/sourced.rs"]
mod sourced;
#[cfg(any(feature = "kafka", feature = "postgres", feature = "sqlite"))]
#[path = "orders/sourced_database.rs"]
mod sourced_database;
#[cfg(all(any(feature = "kafka", feature = "postgres", feature = "sqlite"), unix))]
#[path = "orders/sourced_killed.rs"]
mod sourced_killed;
#[cfg(any(feature = "kafka", feature = "postgres", feature = "sqlite"))]
#[path = "orders/sourced_stores.rs"]
mod sourced_stores;
