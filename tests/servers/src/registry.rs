//! A schema registry: Apicurio, which speaks the protocol of Confluent's.

mod apicurio;

use std::ops::Deref;
use std::time::Duration;

use crate::error::Error;
use crate::managed::{Heal, Make};
use crate::server::Server;
use crate::single::{OneProcess, Recipe, Single};

use self::apicurio::RECIPE;

/// The registry that `cargo xtask up registry` started. What it holds is in its memory only: a killed one starts empty.
#[derive(Debug)]
pub(crate) struct Registry {
    single: Single,
}

impl Deref for Registry {
    type Target = Single;

    fn deref(&self) -> &Single {
        &self.single
    }
}

impl Heal for Registry {
    fn heal(&self, limit: Duration) -> Result<(), Error> {
        self.single.revive(limit)
    }
}

impl OneProcess for Registry {
    const RECIPE: &'static dyn Recipe = &RECIPE;

    fn of(single: Single) -> Self {
        Self { single }
    }
}

/// The URL of a schema registry for tests, with the path of the API that is compatible with Confluent's: what
/// `JITNEY_REGISTRY_URL` says, else the one that `cargo xtask up registry` started.
///
/// # Errors
///
/// When there is neither; the message names the command that starts one.
pub fn registry_url() -> Result<String, Error> {
    Registry::url_of(Server::Registry)
}
