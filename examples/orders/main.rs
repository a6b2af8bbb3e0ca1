//! The order service on real input: `cargo run --example orders -- --help`.
//!
//! Read `app.rs` first, then the services in the order in which an order passes them: `intake`, `stock`, `payment`,
//! `fulfilment`; then what looks on: `summary`, `statement`, `notification`, `audit`. Several processes on a broker begin with
//! `role`; personal data begins with `recipient`. The README has the rest.

// The tests take this file as a module.
#![allow(unreachable_pub)]

pub(crate) mod app;
pub(crate) mod arguments;
pub(crate) mod audit;
pub(crate) mod book;
pub(crate) mod carry;
pub(crate) mod cli;
pub(crate) mod desk;
pub(crate) mod events;
pub(crate) mod follow;
pub(crate) mod fulfilment;
pub(crate) mod gather;
pub(crate) mod handled;
pub(crate) mod history;
pub(crate) mod input;
pub(crate) mod intake;
pub(crate) mod item;
#[cfg(feature = "kafka")]
pub(crate) mod kafka_store;
#[cfg(feature = "privacy")]
pub(crate) mod keys;
#[cfg(feature = "privacy")]
pub(crate) mod mail;
pub(crate) mod money;
pub(crate) mod notification;
pub(crate) mod order;
pub(crate) mod past;
pub(crate) mod payment;
#[cfg(feature = "privacy")]
pub(crate) mod phone_list;
pub(crate) mod processes;
pub(crate) mod progress;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod rebuild;
#[cfg(feature = "privacy")]
pub(crate) mod recipient;
pub(crate) mod rejects;
pub(crate) mod report;
pub(crate) mod role;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod sourced;
pub(crate) mod statement;
pub(crate) mod stock;
pub(crate) mod store;
pub(crate) mod summary;
pub(crate) mod wait;
pub(crate) mod whole;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let code = match arguments::Arguments::try_parse() {
        Ok(arguments) => {
            let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
            cli::perform(&arguments, &progress::bar(), &mut out, &mut err).await
        }
        Err(usage) => {
            // Where help or a usage error cannot be shown, the code is all there is.
            let _ = usage.print();
            if usage.use_stderr() { cli::MISUSED } else { cli::FINE }
        }
    };
    ExitCode::from(code)
}
