//! How a projector is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::Env;
use jitney_core::middleware::RetryPolicy;
use tokio::sync::watch;

use super::running::RunningProjector;
use super::status::Progress;
use super::step::Core;
use super::worker::{Made, Task, ensure};
use super::{MOST_SHARDS, Projection, ReadModel};
use crate::{Error, ErrorKind, EventStore, IntoEventStore};

/// The longest name of a projection, so that a database can have more than one place for it.
const LONGEST_NAME: usize = 50;

/// What is behind the name of a projection where another build than the live one is.
const RESERVED: [&str; 2] = ["__next", "__old"];

/// What becomes of an event that a projection cannot handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The shard stops at it, until the projection is started again, [resumed](super::ProjectionHandle::resume), or told to
    /// [skip](super::ProjectionHandle::skip) the event.
    Stop,
    /// It is recorded and passed: what is in the read model lacks it.
    Park,
}

/// Has a projection follow a store. Several projectors of one projection, in one process or in several, share its shards by
/// leases.
#[must_use = "a projector works when it is started"]
pub struct Projector<P, M> {
    store: Arc<dyn EventStore>,
    model: M,
    projection: P,
    settings: Settings,
}

/// What is told of how far a projection is.
pub(super) type OnProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) shards: u16,
    pub(super) batch: usize,
    pub(super) lease: Duration,
    pub(super) poll: Duration,
    pub(super) on_failure: OnFailure,
    pub(super) retry: RetryPolicy,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) env: Env,
}

impl<P: Projection, M: ReadModel<Connection = P::Connection>> Projector<P, M> {
    /// Has `projection`, whose tables are in `model`, follow `store`.
    pub fn new(store: impl IntoEventStore, model: M, projection: P) -> Self {
        let settings = Settings {
            shards: 1,
            batch: 1_000,
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            on_failure: OnFailure::Stop,
            retry: RetryPolicy::attempts(10),
            on_progress: None,
            env: Env::system(),
        };
        Projector { store: store.into_event_store(), model, projection, settings }
    }

    /// Parts the streams into so many shards, which are worked on side by side, here or in other processes; 1 unless told, 64 at
    /// most. Each shard reads all events of the filter. A build keeps its number: [rebuild](Self::rebuild) to change it.
    pub fn shards(mut self, shards: u16) -> Self {
        self.settings.shards = shards.clamp(1, MOST_SHARDS);
        self
    }

    /// Applies up to so many events in one transaction; 1,000 unless told.
    pub fn batch(mut self, events: usize) -> Self {
        self.settings.batch = events.max(1);
        self
    }

    /// Others take over when nothing is heard of this projector for so long; 15 s unless told, a second at least. On PostgreSQL, so
    /// long is also the most that a handler may leave its transaction without a statement: it is rolled back then.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease.max(Duration::from_secs(1));
        self
    }

    /// Looks at store and read model at least this often, whatever the store says about news; once a second unless told.
    pub fn poll_every(mut self, poll: Duration) -> Self {
        self.settings.poll = poll;
        self
    }

    /// What becomes of an event that cannot be handled; the projection stops at it unless told.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.settings.on_failure = on_failure;
        self
    }

    /// How often an event is tried whose error is not permanent, and with what pauses; 10 times, with pauses of up to 30 s,
    /// unless told. While the read model's database does not answer, that is no attempt.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Tells `told` of each step: how far, how fast. It is called between transactions, and holds the shard up.
    pub fn on_progress(mut self, told: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.settings.on_progress = Some(Arc::new(told));
        self
    }

    /// Takes time and ids from `env`.
    pub fn env(mut self, env: Env) -> Self {
        self.settings.env = env;
        self
    }

    /// Makes the tables where they are missing, and follows the store on tasks of its own until it is told to stop. Where the
    /// read model was made by a lower [version](Projection::version), a new one is made beside it, which takes its place when
    /// it has caught up. Where it was made by a higher one, this projector waits, and does nothing.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) when the name is no good, the read model has another number of shards, or it
    /// is inline; [`Projection`](ErrorKind::Projection) when the tables could not be made; and when store or read model do
    /// not answer.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves tables that are whole, or none.
    pub async fn start(self) -> Result<RunningProjector<M>, Error> {
        let core = self.into_core()?;
        let builds = core.model.builds(core.name()).await?;
        if builds.iter().any(|build| build.inline) {
            let name = core.name();
            let what = format!(
                "starting projection `{name}`: it is inline, and kept up by the appends themselves; start no projector for it, or \
                 have it no longer inline by `Projector::rebuild`"
            );
            return Err(Error::new(ErrorKind::Config, what));
        }
        ensure(&core, false).await?;
        Ok(RunningProjector::new(core, Task::Follow))
    }

    /// Makes the read model anew beside the one that is there, has it take its place when it has caught up, and returns.
    /// Readers see the old one until then, and the new one from then on, which is never behind what they have seen. Projectors of
    /// this version that run meanwhile share the work. Where there is none yet, it is made and brought to where the store is.
    ///
    /// One that is [inline](super::MakeInline) is no longer when this has taken its place: stores that have it inline
    /// refuse to append until they are opened without it, or with it once more.
    ///
    /// Where a new one of this version is being made already, it goes on with that. Where the projection is
    /// [paused](super::ProjectionHandle::pause), the new one is too, until it is resumed.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); of kind [`Projection`](ErrorKind::Projection) when it stops at an event, which is then named; and
    /// that of the database when it refuses to let the new one take its place.
    /// What is made so far stays beside the old one, and the next call goes on with it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    ///
    /// What is made so far stays beside the old one.
    pub async fn rebuild(self) -> Result<(), Error> {
        let core = self.into_core()?;
        let made = ensure(&core, true).await?;
        let before = core.model.builds(core.name()).await?;
        let lease = core.settings.lease;
        let task = if let Made::Next(_) = made { Task::Rebuild } else { Task::Follow };
        let running = RunningProjector::new(core, task);
        let done = running.until_replaced(made, &before, lease).await;
        running.shutdown().await?;
        done
    }

    pub(super) fn into_core(self) -> Result<Arc<Core<P, M>>, Error> {
        let Projector { store, model, projection, settings } = self;
        check_name(projection.name())?;
        if projection.version() == 0 {
            let what =
                format!("setting up projection `{}`: its version is 0; count from 1", projection.name());
            return Err(Error::new(ErrorKind::Config, what));
        }
        let (filter, worker) = (projection.filter(), settings.env.new_id().to_string());
        let (news, failed_swap) = (watch::Sender::new(0), Arc::default());
        Ok(Arc::new(Core { store, model, projection, filter, settings, worker, news, failed_swap }))
    }
}

/// Refuses a name that some read model could not use as that of a place.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_word = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
    let starts_well = name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase());
    let ends_well = !RESERVED.iter().any(|end| name.ends_with(end));
    let is_plain = name.len() <= LONGEST_NAME && name.chars().all(is_word) && !name.starts_with("pg_");
    if starts_well && ends_well && is_plain {
        return Ok(());
    }
    let what = format!(
        "setting up projection `{name}`: choose a name of small letters, digits and `_`, of up to {LONGEST_NAME}, that starts \
         with no digit and not with `pg_`, and does not end with `__next` or `__old`, which builds of others are called by"
    );
    Err(Error::new(ErrorKind::Config, what))
}

impl<P: Projection, M: fmt::Debug> fmt::Debug for Projector<P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.projection.name();
        f.debug_struct("Projector")
            .field("projection", &name)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
