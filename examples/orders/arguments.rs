//! The arguments of the command line, and which of them go together.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use jiff::Timestamp;

use super::role::Role;

/// Places orders and follows them to their end.
///
/// Ends with 0 when all went well, with 1 on a failure, and with 2 when the arguments are wrong or lines of the input were no
/// orders.
#[derive(Debug, Parser)]
#[command(name = "orders")]
pub struct Arguments {
    /// The bus, as a URL. By default that in JITNEY_URL, or `memory://` where no broker is compiled in. On a broker, each run
    /// has groups of its own and passes over the events of others.
    #[arg(long, value_name = "URL")]
    pub bus: Option<String>,
    /// Where orders are sourced: the store that has their events, as a URL: `memory`, `sqlite://FILE`, `postgres://…` or `kafka://…`. What is
    /// there is not done again.
    #[arg(long, value_name = "URL", global = true)]
    pub store: Option<String>,
    /// The orders, one JSON object a line; `-` is the standard input. By default the 830 Northwind orders.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Events of `OrderCreated` in version 1, one envelope a line, that come before the orders.
    #[arg(long, value_name = "FILE", conflicts_with = "roles")]
    pub history: Option<PathBuf>,
    /// The same orders so many times, under new ids.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: u32,
    /// At the end, the events of this order as a tree.
    #[arg(long, value_name = "ORDER_ID")]
    pub follow: Option<String>,
    /// Where lines go that are no orders.
    #[arg(long, value_name = "FILE", default_value = "orders.rejects.jsonl")]
    pub rejects: PathBuf,
    /// The figures as one JSON object on the standard output; what else is to be said goes to the standard error.
    #[arg(long, global = true)]
    pub json: bool,
    /// Only this part of the service, beside other processes on the same broker; may be given several times.
    #[arg(long = "role", value_name = "ROLE", requires = "state")]
    pub roles: Vec<Role>,
    /// The directory that the processes of one run share, with the read model in it; a new directory is a new run.
    #[arg(long, value_name = "DIR", requires = "roles")]
    pub state: Option<PathBuf>,
    /// Customers with names and phones, one JSON object a line: each order gets its recipient, sealed for the customer.
    #[cfg(feature = "privacy")]
    #[arg(long, value_name = "FILE", conflicts_with = "roles")]
    pub customers: Option<PathBuf>,
    /// Where the keys of customers are, as a URL: `sqlite://FILE` or `postgres://…`; the master keys are in ORDERS_MASTER_KEYS. By
    /// default in memory, which is for runs whose events end with them.
    #[cfg(feature = "privacy")]
    #[arg(long, value_name = "URL", global = true)]
    pub keys: Option<String>,
    #[command(subcommand)]
    pub query: Option<Query>,
}

/// What can be asked of a store instead of a run.
#[derive(Debug, Clone, Subcommand)]
pub enum Query {
    /// Prints the events of an order, and what it was behind each of them.
    Replay {
        /// The order.
        #[arg(long, value_name = "ORDER_ID")]
        aggregate: String,
    },
    /// Brings the order book up to date, and prints how many orders are at each stage, and what they are worth.
    Book,
    /// Makes the order book anew beside the one that is there, which is read meanwhile.
    Rebuild,
    /// Brings the phone list up to date, and prints it.
    #[cfg(feature = "privacy")]
    Phones,
    /// Forgets a customer: what is personal of them opens nowhere any more, and is taken out of the phone list.
    #[cfg(feature = "privacy")]
    Forget {
        /// The customer.
        #[arg(value_name = "CUSTOMER_ID")]
        customer: String,
        /// After so many seconds no other process has the customer's key.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        within: u64,
    },
    /// Prints the figures as they were at a time, or one order.
    AsOf {
        /// The time, as `2026-01-31T17:00:00Z` or with another offset; an event that was recorded then is included.
        #[arg(value_parser = time)]
        time: Timestamp,
        /// The order, and not the figures.
        #[arg(long, value_name = "ORDER_ID")]
        aggregate: Option<String>,
    },
}

fn time(text: &str) -> Result<Timestamp, String> {
    let wrong =
        |error| format!("{error}; write a time like 2026-01-31T17:00:00Z, or with an offset, …+01:00");
    text.parse().map_err(wrong)
}

impl Arguments {
    /// What is wrong with arguments that are right one by one.
    pub fn misuse(&self) -> Option<&'static str> {
        if let Some(query) = &self.query {
            return self.misuse_of(query);
        }
        let has = |role| self.roles.is_empty() || self.roles.contains(&role);
        if self.roles.len() > 1 && self.roles.contains(&Role::Report) {
            Some("`--role report` reads what the other roles have done: give it to a process of its own")
        } else if !self.roles.is_empty() && self.store.is_some() {
            Some("`--store` is for a run in one process: leave it out, or `--role`")
        } else if !has(Role::Intake) && (self.input.is_some() || self.repeat > 1) {
            Some("`--input` and `--repeat` are for the role that places orders: add `--role intake`")
        } else if self.would_lose_keys() {
            Some(
                "the store outlives the run, and the keys of customers would not: `--keys sqlite://keys.db` or `--keys postgres://…`",
            )
        } else if !has(Role::Report) && (self.json || self.follow.is_some()) {
            Some("`--json` and `--follow` are for the role that has the figures: `--role report`")
        } else {
            None
        }
    }

    fn misuse_of(&self, query: &Query) -> Option<&'static str> {
        let of_a_run = self.bus.is_some() || self.input.is_some() || self.history.is_some();
        if of_a_run || self.repeat > 1 || self.follow.is_some() || !self.roles.is_empty() {
            Some("what is asked of a store needs only the store: leave out what is for a run")
        } else if self.lacks_keys(query) {
            Some("name where the keys are: `--keys sqlite://keys.db` or `--keys postgres://…`")
        } else if self.store.is_none() {
            Some("name the store that is to be asked: `--store sqlite://orders.db` or `--store postgres://…`")
        } else if self.json && !matches!(query, Query::AsOf { aggregate: None, .. }) {
            Some(
                "`--json` is for the figures of a run and of `as-of`: leave it out, or leave out `--aggregate`",
            )
        } else {
            None
        }
    }

    #[cfg(feature = "privacy")]
    fn would_lose_keys(&self) -> bool {
        let is_kept = self.store.as_ref().is_some_and(|store| store != "memory");
        self.customers.is_some() && self.keys.is_none() && is_kept
    }

    #[cfg(not(feature = "privacy"))]
    fn would_lose_keys(&self) -> bool {
        false
    }

    #[cfg(feature = "privacy")]
    fn lacks_keys(&self, query: &Query) -> bool {
        self.keys.is_none() && matches!(query, Query::Phones | Query::Forget { .. })
    }

    #[cfg(not(feature = "privacy"))]
    fn lacks_keys(&self, _: &Query) -> bool {
        false
    }
}
