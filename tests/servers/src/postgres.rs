//! PostgreSQL: one server, a database of it, and its own tools.

mod children;
mod probe;
mod recipe;
mod settings;
pub(crate) mod throw_away;

use std::ops::Deref;
use std::time::Duration;

use crate::error::Error;
use crate::exclusive::Exclusive;
use crate::managed::{Heal, Make};
use crate::program;
use crate::server::Server;
use crate::single::{OneProcess, Recipe, Single};

use self::recipe::RECIPE;

/// A PostgreSQL of ours; all that a [`Single`] can is there by dereferencing. Its processes stand still together, and a
/// killed one starts again with all that it had acknowledged, as `fsync` is on.
///
/// Anyone may be its superuser `postgres`, without a password. It takes 200 connections and 20 prepared transactions.
#[derive(Debug)]
pub struct Postgres {
    single: Single,
}

impl Postgres {
    /// The one that `cargo xtask up postgres` started.
    ///
    /// # Errors
    ///
    /// [`Error::Given`] when the environment gives an address, so that there is nothing to control;
    /// [`Error::NoServer`] when it does not run.
    pub fn single() -> Result<Self, Error> {
        Self::controlled(Server::Postgres)
    }

    /// The URL of its database `name`, whether it exists or not. [`url`](Single::url) is that of `postgres`.
    #[must_use]
    pub fn database_url(&self, name: &str) -> String {
        settings::url(self.made().ports, name)
    }

    /// Runs one of its own programs, as `psql` or `pg_dump`, with `args` against it, and returns what it prints.
    ///
    /// # Errors
    ///
    /// When it cannot be started or fails; the message has what it printed.
    pub fn tool(&self, name: &str, args: &[&str]) -> Result<String, Error> {
        let mut command = match self.body().inside(name) {
            Some(command) => command,
            None => recipe::tool(self.made(), name)?,
        };
        program::run(command.args(args))
    }

    /// Shuts it down in its own way: transactions are broken off, clients are told, and what it has is written down.
    ///
    /// # Errors
    ///
    /// When it does not run, or is still there after `limit`.
    pub fn shut_down(&self, limit: Duration) -> Result<(), Error> {
        self.single.interrupt(limit)
    }

    /// Waits until no other test has it to itself, and then has it: for tests that kill or freeze it, or hold a
    /// transaction open that others would wait for.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be used.
    pub fn exclusive(self) -> Result<Exclusive<Self>, Error> {
        let place = self.made().place.clone();
        Exclusive::wait(self, &place, Server::Postgres)
    }
}

impl Deref for Postgres {
    type Target = Single;

    fn deref(&self) -> &Single {
        &self.single
    }
}

impl Heal for Postgres {
    fn heal(&self, limit: Duration) -> Result<(), Error> {
        self.single.revive(limit)
    }
}

impl OneProcess for Postgres {
    const RECIPE: &'static dyn Recipe = &RECIPE;

    fn of(single: Single) -> Self {
        Self { single }
    }
}

/// The URL of a PostgreSQL for tests: what `JITNEY_POSTGRES_URL` says, else the one that `cargo xtask up postgres` started.
///
/// # Errors
///
/// When there is neither; the message names the command that starts one.
pub fn postgres_url() -> Result<String, Error> {
    Postgres::url_of(Server::Postgres)
}
