//! A PostgreSQL that one test starts for itself.

use std::ops::Deref;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::kind::Kind;
use crate::made::Made;
use crate::place::{self, Lock, Place};
use crate::ports::Ports;
use crate::postgres::Postgres;
use crate::process::Process;
use crate::single::{OneProcess, Single};
use crate::state::State;

/// A [`Postgres`] with a new cluster of databases, for a test that holds transactions open, kills the server, or needs two of
/// them; on this machine's packages also where other servers are containers. Dropped, it is killed and its folder removed; a
/// panicking test leaves the folder for whoever looks into it, until the next start or `cargo xtask down`.
#[derive(Debug)]
pub struct ThrowAwayPostgres {
    server: Postgres,
    _lock: Lock,
}

impl ThrowAwayPostgres {
    /// Starts one called `name`, which is also its folder's name: small letters, digits and `-`. A second one of the name
    /// waits until the first is dropped; what an earlier run of the test left behind is removed.
    ///
    /// # Errors
    ///
    /// When the name has other characters, PostgreSQL is missing, or it does not serve within `limit`.
    pub fn start(name: &str, limit: Duration) -> Result<Self, Error> {
        place::check_name(name)?;
        let what = format!("throw-away-{name}");
        let place = Place::of_repository();
        let lock = place.lock(&what)?;
        let folder = place.throw_away().join(name);
        kill(&folder)?;
        let state = State::new(Kind::Packages)?;
        let made = Made { state, ports: Ports::free()?, folder, place };
        let server = Postgres::of(Single::of(made, &what, Postgres::RECIPE));
        let server = Self { server, _lock: lock };
        server.single.prepare()?;
        server.start_again(limit)?;
        Ok(server)
    }

    /// Starts it with the data that it has, and waits until it serves.
    ///
    /// # Errors
    ///
    /// When it does not within `limit`.
    pub fn start_again(&self, limit: Duration) -> Result<(), Error> {
        self.server.start()?;
        self.server.wait_ready(limit)
    }
}

impl Deref for ThrowAwayPostgres {
    type Target = Postgres;

    fn deref(&self) -> &Postgres {
        &self.server
    }
}

impl Drop for ThrowAwayPostgres {
    fn drop(&mut self) {
        let ended = self.server.kill().and_then(|()| {
            let folder = &self.server.made().folder;
            if thread::panicking() { Ok(()) } else { place::remove_folder(folder) }
        });
        if let Err(error) = ended {
            let what = self.server.body().what();
            eprintln!("{what} could not be removed: {error}; `cargo xtask down` tries again");
        }
    }
}

/// The first process of the PostgreSQL in `folder`.
pub(crate) fn process(folder: &Path) -> Process {
    Process::new(folder.join("pid"), &folder.join("data"))
}

/// Kills the PostgreSQL in `folder`, if one runs there, and waits until all of it has ended.
pub(crate) fn kill(folder: &Path) -> Result<(), Error> {
    process(folder).kill()
}
