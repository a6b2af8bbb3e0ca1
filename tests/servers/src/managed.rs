//! What all servers of ours have in common: they are made, found, healed and removed.

use std::time::Duration;

use crate::choice;
use crate::error::Error;
use crate::kind::Kind;
use crate::place::Place;
use crate::server::Server;

/// A server whose processes are ours and can be brought back to work.
pub trait Heal {
    /// Lets frozen processes go on, starts those that do not run, and waits until all of the server serves.
    ///
    /// # Errors
    ///
    /// When a process cannot be started, or not all of it serves within `limit`.
    fn heal(&self, limit: Duration) -> Result<(), Error>;
}

/// A server that `cargo xtask up` makes.
pub(crate) trait Managed: Heal {
    /// The URL that a bus connects to.
    fn url(&self) -> String;

    /// The processes that run of it.
    fn pids(&self) -> Vec<u32>;

    /// How many processes it has when all of them run.
    fn size(&self) -> usize;

    /// Whether it serves now; asks it once.
    fn is_ready(&self) -> bool;

    /// Ends it and removes its data; its output stays.
    fn remove(&self) -> Result<(), Error>;
}

/// How a server of one sort comes to be.
pub(crate) trait Make: Managed + Sized {
    /// The one that was made for `server` and not removed since, whether it runs or not.
    fn find(place: &Place, server: Server) -> Result<Option<Self>, Error>;

    /// Makes it anew, with empty data, ready to be started.
    fn make(place: &Place, server: Server, kind: Kind) -> Result<Self, Error>;

    /// The URL that `server` would have.
    fn future_url(server: Server) -> Result<String, Error>;

    /// The one that `cargo xtask up` started.
    fn controlled(server: Server) -> Result<Self, Error> {
        if choice::given(server)?.is_some() {
            return Err(Error::Given { server });
        }
        let found = Self::find(&Place::of_repository(), server)?;
        found.filter(|made| !made.pids().is_empty()).ok_or(Error::NoServer { server })
    }

    /// The URL of the one that was given, else of the one that `cargo xtask up` started.
    fn url_of(server: Server) -> Result<String, Error> {
        match choice::given(server)? {
            Some(url) => Ok(url),
            None => Self::controlled(server).map(|made| made.url()),
        }
    }
}
