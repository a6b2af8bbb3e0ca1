//! A server that is one process or one container, whatever it is a server of.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::body::Body;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::kind::Kind;
use crate::made::Made;
use crate::managed::{Heal, Make, Managed};
use crate::place::{self, Place};
use crate::ports::{self, Ports};
use crate::process::{self, Signal};
use crate::server::Server;
use crate::state::State;

const CHILDREN_ENDING: Duration = Duration::from_secs(30);

/// What differs from server to server.
pub(crate) trait Recipe: Debug + Send + Sync {
    /// The URL that a bus connects to, for a server on `ports`.
    fn url(&self, ports: Ports) -> String;

    /// The ports that have to be free when it starts.
    fn ports(&self, ports: Ports) -> Vec<u16>;

    /// The argument of its command line that no other process has.
    fn mark(&self, made: &Made) -> PathBuf;

    /// Installs or fetches what a process of it needs.
    fn install(&self, place: &Place) -> Result<(), Error>;

    /// Writes the files that it is started with into its folder, which is empty.
    fn prepare(&self, made: &Made) -> Result<(), Error>;

    /// The command of its process, with what has to run beside it started.
    fn command(&self, made: &Made) -> Result<Command, Error>;

    /// Asks it once whether it serves.
    fn ask(&self, made: &Made) -> Result<(), String>;

    /// Ends what [`command`](Self::command) started beside it.
    fn end_beside(&self, made: &Made) -> Result<(), Error>;

    /// The processes that run of it beside its first one: they stand still with it, and end by themselves when it is
    /// killed.
    fn children(&self, _: &Made) -> Vec<u32> {
        Vec::new()
    }
}

/// A server that is one process of ours, or one container: it can be killed, frozen and started again.
#[derive(Debug)]
pub struct Single {
    made: Made,
    body: Body,
    recipe: &'static dyn Recipe,
}

impl Single {
    /// The URL that a bus connects to.
    #[must_use]
    pub fn url(&self) -> String {
        self.recipe.url(self.made.ports)
    }

    /// Where clients connect: what a proxy has to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::local(self.made.ports.client())
    }

    /// The id of its process, if it runs. A frozen one runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.body.pid()
    }

    /// Where its output is: a file, or the command that shows it.
    #[must_use]
    pub fn log(&self) -> String {
        self.body.log()
    }

    /// Starts it with the data that it has, and does not wait; nothing happens if it runs.
    ///
    /// # Errors
    ///
    /// When what it needs is missing, or one of its ports is taken.
    pub fn start(&self) -> Result<(), Error> {
        if self.pid().is_some() {
            return Ok(());
        }
        ports::check(self.recipe.ports(self.made.ports))?;
        self.body.start(&self.made.place, || self.recipe.command(&self.made))
    }

    /// Kills it with SIGKILL, if it runs, and waits until it is gone, with all that it started.
    ///
    /// # Errors
    ///
    /// When it cannot be killed.
    pub fn kill(&self) -> Result<(), Error> {
        self.body.kill()?;
        self.signal_children(Signal::Continue)?;
        if Deadline::after(CHILDREN_ENDING).wait_until(|| self.children().is_empty()) {
            return Ok(());
        }
        let how = format!("it was killed, and processes of it are still there: {:?}", self.children());
        Err(Error::Signal { what: self.body.what().to_owned(), how })
    }

    /// Lets it end in its own way with SIGINT, and waits until it is gone, with all that it started.
    ///
    /// # Errors
    ///
    /// When it does not run, or is still there after `limit`.
    pub(crate) fn interrupt(&self, limit: Duration) -> Result<(), Error> {
        self.body.signal(Signal::Interrupt)?;
        if Deadline::after(limit).wait_until(|| self.pid().is_none() && self.children().is_empty()) {
            return Ok(());
        }
        let how = format!("it was interrupted and is still there after {} s", limit.as_secs());
        Err(Error::Signal { what: self.body.what().to_owned(), how })
    }

    /// Lets it stand still with SIGSTOP: its connections stay, and nobody answers on them.
    ///
    /// # Errors
    ///
    /// When it does not run, or takes no signal.
    pub fn freeze(&self) -> Result<(), Error> {
        self.body.signal(Signal::Stop)?;
        self.signal_children(Signal::Stop)
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// When it does not run, or takes no signal.
    pub fn thaw(&self) -> Result<(), Error> {
        self.signal_children(Signal::Continue)?;
        self.body.signal(Signal::Continue)
    }

    /// Waits until it serves.
    ///
    /// # Errors
    ///
    /// When it does not within `limit`, or its process ends before.
    pub fn wait_ready(&self, limit: Duration) -> Result<(), Error> {
        self.body.wait_ready(limit, || self.recipe.ask(&self.made))
    }

    /// Lets it go on if it is frozen, starts it if it does not run, and waits until it serves.
    pub(crate) fn revive(&self, limit: Duration) -> Result<(), Error> {
        self.signal_children(Signal::Continue)?;
        self.body.revive(|| self.start())?;
        self.wait_ready(limit)
    }

    /// What was made for it.
    pub(crate) fn made(&self) -> &Made {
        &self.made
    }

    /// What it is to the system.
    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// The server `what` that is made as `made` says.
    pub(crate) fn of(made: Made, what: &str, recipe: &'static dyn Recipe) -> Self {
        let mark = recipe.mark(&made);
        let body = Body::new(made.state.kind, what.to_owned(), &made.folder, &mark, what.to_owned());
        Self { made, body, recipe }
    }

    fn new(place: &Place, server: Server, state: State, recipe: &'static dyn Recipe) -> Self {
        let made = Made {
            ports: ports_of(server, state.port_base),
            state,
            folder: place.server(server.name()),
            place: place.clone(),
        };
        Self::of(made, server.name(), recipe)
    }

    /// Makes it ready to be started, with empty data.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let Self { made, recipe, .. } = self;
        if made.state.kind == Kind::Packages {
            recipe.install(&made.place)?;
        }
        place::remove_folder(&made.folder)?;
        place::create(&made.data())?;
        recipe.prepare(made)
    }

    /// The processes beside the first one, as far as they are ours: those in a container go with it.
    fn children(&self) -> Vec<u32> {
        match self.body.kind() {
            Kind::Packages => self.recipe.children(&self.made),
            Kind::Docker => Vec::new(),
        }
    }

    fn signal_children(&self, signal: Signal) -> Result<(), Error> {
        self.children().into_iter().try_for_each(|pid| process::send(pid, signal).map(drop))
    }
}

/// A server of one process, as it is made and found.
pub(crate) trait OneProcess: Heal + Deref<Target = Single> + Sized {
    /// What it differs in from others.
    const RECIPE: &'static dyn Recipe;

    /// The server that `single` is the process of.
    fn of(single: Single) -> Self;
}

impl<T: OneProcess> Managed for T {
    fn url(&self) -> String {
        Single::url(self)
    }

    fn pids(&self) -> Vec<u32> {
        self.pid().into_iter().collect()
    }

    fn size(&self) -> usize {
        1
    }

    fn is_ready(&self) -> bool {
        self.wait_ready(Duration::ZERO).is_ok()
    }

    fn remove(&self) -> Result<(), Error> {
        self.kill()?;
        self.body.remove()?;
        self.recipe.end_beside(&self.made)?;
        place::remove_folder(&self.made.data())?;
        State::remove(&self.made.folder)
    }
}

impl<T: OneProcess> Make for T {
    fn find(place: &Place, server: Server) -> Result<Option<Self>, Error> {
        let state = State::read(&place.server(server.name()))?;
        Ok(state.map(|state| T::of(Single::new(place, server, state, T::RECIPE))))
    }

    fn make(place: &Place, server: Server, kind: Kind) -> Result<Self, Error> {
        let single = Single::new(place, server, State::new(kind)?, T::RECIPE);
        single.prepare()?;
        single.made.state.write(&single.made.folder)?;
        Ok(T::of(single))
    }

    fn future_url(server: Server) -> Result<String, Error> {
        Ok(T::RECIPE.url(ports_of(server, ports::base()?)))
    }
}

/// The ports of `server` when the first of all is `base`.
fn ports_of(server: Server, base: u16) -> Ports {
    let blocks_before = match server {
        Server::Kafka | Server::Kafka3 => 0,
        Server::RabbitMq => 4,
        Server::EventBridge => 5,
        Server::Postgres => 6,
        Server::Registry => 7,
    };
    Ports::from(base + 100 * blocks_before)
}
