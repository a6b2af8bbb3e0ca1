//! RabbitMQ on one node, with the plugins that the bus and its tests need.

mod alarm;
mod probe;
mod recipe;
mod settings;
mod tls;

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;
use crate::exclusive::Exclusive;
use crate::managed::{Heal, Make};
use crate::ports;
use crate::program;
use crate::server::Server;
use crate::single::{OneProcess, Recipe, Single};

use self::recipe::RECIPE;

/// The RabbitMQ that `cargo xtask up rabbitmq` started; all that a [`Single`] can is there by dereferencing.
#[derive(Debug)]
pub struct RabbitMq {
    single: Single,
}

impl RabbitMq {
    /// The one that `cargo xtask up rabbitmq` started.
    ///
    /// # Errors
    ///
    /// [`Error::Given`] when the environment gives an address, so that there is nothing to control;
    /// [`Error::NoServer`] when it does not run.
    pub fn single() -> Result<Self, Error> {
        Self::controlled(Server::RabbitMq)
    }

    /// Where the management plugin answers by HTTP; its user is `guest`, with the password `guest`.
    #[must_use]
    pub fn management_address(&self) -> SocketAddr {
        ports::local(self.made().ports.management())
    }

    /// The URL of the listener for TLS; its certificate is for 127.0.0.1 and `localhost`.
    #[must_use]
    pub fn tls_url(&self) -> String {
        settings::tls_url(self.made().ports)
    }

    /// The file, in PEM, of the authority that signed the certificate at [`tls_url`](Self::tls_url).
    #[must_use]
    pub fn tls_authority(&self) -> PathBuf {
        settings::tls(self.made()).authority()
    }

    /// Runs `rabbitmqctl` with `args` and returns what it prints. Takes a second or two.
    ///
    /// # Errors
    ///
    /// When it cannot be started or fails; the message has what it printed.
    pub fn control(&self, args: &[&str]) -> Result<String, Error> {
        let mut command = match self.body().inside("rabbitmqctl") {
            Some(command) => command,
            None => recipe::control(self.made())?,
        };
        program::run(command.args(args))
    }

    /// Lets it believe that its memory is used up: it reads nothing more from connections that publish, and says so to
    /// them (`connection.blocked`), until [`clear_memory_alarm`](Self::clear_memory_alarm). Returns when it does.
    ///
    /// # Errors
    ///
    /// When `rabbitmqctl` fails, or no alarm is there within 30 seconds.
    pub fn raise_memory_alarm(&self) -> Result<(), Error> {
        alarm::raise(self)
    }

    /// Ends the alarm of [`raise_memory_alarm`](Self::raise_memory_alarm); nothing happens if there is none.
    ///
    /// # Errors
    ///
    /// When `rabbitmqctl` fails, or the alarm is still there after 30 seconds.
    pub fn clear_memory_alarm(&self) -> Result<(), Error> {
        alarm::clear(self)
    }

    /// Waits until no other test has it to itself, and then has it: for tests that kill, freeze or alarm it.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be used.
    pub fn exclusive(self) -> Result<Exclusive<Self>, Error> {
        let place = self.made().place.clone();
        Exclusive::wait(self, &place, Server::RabbitMq)
    }
}

impl Deref for RabbitMq {
    type Target = Single;

    fn deref(&self) -> &Single {
        &self.single
    }
}

impl Heal for RabbitMq {
    fn heal(&self, limit: Duration) -> Result<(), Error> {
        self.single.revive(limit)?;
        self.clear_memory_alarm()
    }
}

impl OneProcess for RabbitMq {
    const RECIPE: &'static dyn Recipe = &RECIPE;

    fn of(single: Single) -> Self {
        Self { single }
    }
}

/// The URL of a RabbitMQ for tests: what `JITNEY_RABBITMQ_URL` says, else the one that `cargo xtask up rabbitmq` started.
///
/// # Errors
///
/// When there is neither; the message names the command that starts one.
pub fn rabbitmq_url() -> Result<String, Error> {
    RabbitMq::url_of(Server::RabbitMq)
}
