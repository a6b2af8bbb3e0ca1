//! Which run events belong to: a broker keeps those of earlier runs, and may serve others at the same time.
//!
//! Topics are shared. A run is one chain: its commands carry its id as their correlation id, and so does all that follows
//! from them. Its groups have names of their own, begin where the run began, and pass over other chains.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jitney::handler::{Context, Outcome, Reply};
use jitney::middleware::{Middleware, Next};
use jitney::prelude::*;
use jitney::transport::Start;
use jitney::{Env, Id};

/// One run; by default everything on the bus, which is right where the bus is made for the run and ends with it.
#[derive(Debug, Clone, Default)]
pub struct Scope(Option<Arc<Run>>);

#[derive(Debug)]
struct Run {
    id: Id,
    started: Timestamp,
    /// Its own chain, and those of events that happened before it.
    chains: HashSet<Id>,
}

impl Scope {
    /// A new run, to which events of the chains `earlier` belong too.
    pub fn new(env: &Env, earlier: impl IntoIterator<Item = Id>) -> Self {
        let id = env.new_id();
        let chains = earlier.into_iter().chain([id.clone()]).collect();
        Scope::of(Run { chains, id, started: env.now() })
    }

    /// The run of all processes that share the directory `state`: the first one makes it.
    pub fn shared(env: &Env, state: &Path) -> Result<Self, String> {
        let (path, draft) = (state.join("run"), state.join(format!("run-{}", env.new_id())));
        let made = fs::create_dir_all(state)
            .and_then(|()| fs::write(&draft, format!("{} {}", env.new_id(), env.now())))
            // A link is there whole or not at all, and never replaces another.
            .and_then(|()| match fs::hard_link(&draft, &path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                linked => linked,
            })
            .and_then(|()| fs::remove_file(&draft))
            .and_then(|()| fs::read_to_string(&path));
        let text = made.map_err(|error| format!("joining the run of {}: {error}", state.display()))?;
        let run = text.split_once(' ').and_then(|(id, started)| Some((Id::from(id), started.parse().ok()?)));
        let (id, started) = run.ok_or_else(|| {
            format!("joining the run of {}: its file `run` is damaged; use a new directory", state.display())
        })?;
        Ok(Scope::of(Run { chains: HashSet::from([id.clone()]), id, started }))
    }

    fn of(run: Run) -> Self {
        Scope(Some(Arc::new(run)))
    }

    /// `app`, in groups of this run, and with nothing but its events.
    pub fn keep(&self, app: App) -> App {
        let Some(run) = &self.0 else { return app };
        // Where nothing is kept for groups to come, they begin with what is published after they were made.
        let start = match app.bus_handle().capabilities().backlog {
            true => Start::Time(run.started),
            false => Start::Latest,
        };
        app.group_prefix(&format!("orders-{}", run.id)).start_at(start).layer(self.clone())
    }

    /// Takes the groups of the run away, which nobody joins again. Others find their own.
    ///
    /// # Errors
    ///
    /// When the broker refuses.
    pub async fn clear(&self, bus: &Bus, groups: impl IntoIterator<Item = String>) -> jitney::Result<()> {
        if self.0.is_some() {
            for group in groups {
                bus.admin()?.delete_group(&group).await?;
            }
        }
        Ok(())
    }

    /// Publishes what the run begins with.
    pub fn publisher(&self, bus: &Bus) -> Publisher {
        match &self.0 {
            Some(run) => bus.publisher().correlation(run.id.clone()),
            None => bus.publisher(),
        }
    }
}

#[async_trait::async_trait]
impl Middleware for Scope {
    async fn handle<'a>(&'a self, cx: Context<'a>, next: Next<'a>) -> Reply {
        match &self.0 {
            Some(run) if !run.chains.contains(cx.head().correlation_id()) => Reply::All(Outcome::ack()),
            _ => next.run(cx).await,
        }
    }
}
