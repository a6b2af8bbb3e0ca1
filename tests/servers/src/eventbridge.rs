//! EventBridge and SQS as ministack imitates them.

pub(crate) mod ministack;

use std::ops::Deref;
use std::time::Duration;

use crate::error::Error;
use crate::exclusive::Exclusive;
use crate::http::Request;
use crate::managed::{Heal, Make};
use crate::server::Server;
use crate::single::{OneProcess, Recipe, Single};

use self::ministack::RECIPE;

const RESETTING: Duration = Duration::from_secs(30);

/// The EventBridge that `cargo xtask up eventbridge` started; all that a [`Single`] can is there by dereferencing. What
/// it holds is in its memory only: a killed one starts empty.
#[derive(Debug)]
pub struct EventBridge {
    single: Single,
}

impl EventBridge {
    /// The one that `cargo xtask up eventbridge` started.
    ///
    /// # Errors
    ///
    /// [`Error::Given`] when the environment gives an address, so that there is nothing to control;
    /// [`Error::NoServer`] when it does not run.
    pub fn single() -> Result<Self, Error> {
        Self::controlled(Server::EventBridge)
    }

    /// Removes every bus, rule and queue of it.
    ///
    /// # Errors
    ///
    /// When it does not answer within 30 seconds, or refuses.
    pub fn reset(&self) -> Result<(), Error> {
        let request = Request { method: "POST", path: "/_ministack/reset", login: None };
        let why = match request.send(self.address(), RESETTING) {
            Ok(answer) if answer.status == 200 => return Ok(()),
            Ok(answer) => format!("status {}: {}", answer.status, answer.body),
            Err(error) => error.to_string(),
        };
        Err(Error::NotReady { what: "eventbridge".into(), limit: RESETTING, why, log: self.log() })
    }

    /// Waits until no other test has it to itself, and then has it: for tests that kill, freeze or empty it.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be used.
    pub fn exclusive(self) -> Result<Exclusive<Self>, Error> {
        let place = self.made().place.clone();
        Exclusive::wait(self, &place, Server::EventBridge)
    }
}

impl Deref for EventBridge {
    type Target = Single;

    fn deref(&self) -> &Single {
        &self.single
    }
}

impl Heal for EventBridge {
    fn heal(&self, limit: Duration) -> Result<(), Error> {
        self.single.revive(limit)
    }
}

impl OneProcess for EventBridge {
    const RECIPE: &'static dyn Recipe = &RECIPE;

    fn of(single: Single) -> Self {
        Self { single }
    }
}

/// The URL of an EventBridge for tests: what `JITNEY_EVENTBRIDGE_URL` says, else the one that `cargo xtask up eventbridge`
/// started. The latter takes any credentials.
///
/// # Errors
///
/// When there is neither; the message names the command that starts one.
pub fn eventbridge_url() -> Result<String, Error> {
    EventBridge::url_of(Server::EventBridge)
}
