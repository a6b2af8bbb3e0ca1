//! How a projection is set up whose events come by a bus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::Env;
use jitney_core::middleware::RetryPolicy;

use super::attempts::Attempts;
use super::feed::{Core, Settings};
use super::{BusProjection, BusReadModel};
use crate::projection::projector::check_name;
use crate::projection::worker::prepare;
use crate::projection::{
    Build, BuildId, BuildState, NewBuild, Projection, ReadModel, ReadModelTransaction, build,
};
use crate::{Error, ErrorKind};

/// What becomes of an event from a bus that a projection cannot handle.
///
/// Where the database itself refuses, as behind a permission that was taken away, and another try would not change that, it is no
/// fault of the event: the projection stops, as with [`Stop`](OnBusFailure::Stop), whichever was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnBusFailure {
    /// It is a dead letter, as that of any handler: what is in the read model lacks it. Redriven, it is handled where no later
    /// event of its stream was meanwhile, or where [any order](BusProjector::any_order) will do.
    #[default]
    DeadLetter,
    /// The projection stops at it, in all processes: no event is handled until it is
    /// [resumed](crate::ProjectionHandle::resume), which tries the event again, or told to
    /// [skip](crate::ProjectionHandle::skip) it. The bus keeps the events meanwhile, for as long as it keeps events.
    Stop,
}

/// Has the events of a projection come by a bus: the same [`Projection`] that follows a store by a
/// [`Projector`](crate::Projector).
///
/// Each event is handled in a transaction of the read model in which it is marked as handled. One that comes again changes
/// nothing, however often and from however far back: it is recognised by its place in its stream where it has a sequence, by its
/// id otherwise. An event that comes behind later ones of its stream is not handled in the wrong order and is not left out either:
/// it fails for good, unless the projection handles events in [any order](Self::any_order).
///
/// ```
/// # use std::collections::BTreeMap;
/// # use jitney_core::event::{DomainEvent, EventType};
/// # use jitney_core::handler::HandlerError;
/// # use jitney_core::handler::HandlerSpec;
/// # use jitney_sourcing::{Filter, Projecting, Projection, StoredEvent};
/// # #[derive(serde::Serialize, serde::Deserialize, jitney_derive::DomainEvent)]
/// # #[event(aggregate = "Account", id = account, crate = "jitney_core")]
/// # struct Deposited { account: String, cents: u64 }
/// use jitney_sourcing::MemoryReadModel;
/// use jitney_sourcing::projection::BusProjector;
///
/// struct Balances;
///
/// impl Projection for Balances {
///     type Connection = BTreeMap<String, u64>;
///
///     fn name(&self) -> &str { "balances" }
///     fn filter(&self) -> Filter { Filter::of::<Deposited>() }
///     fn event_types(&self) -> Vec<&'static EventType> { Deposited::accepts() }
///
///     async fn apply(
///         &self,
///         event: &StoredEvent,
///         at: &mut Projecting<'_, Self::Connection>,
///     ) -> Result<(), HandlerError> {
///         let Deposited { account, cents } = event.decode().map_err(HandlerError::permanent)?;
///         *at.connection().entry(account).or_default() += cents;
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let balances = BusProjector::new(MemoryReadModel::new(), Balances).prepare().await?;
/// let handlers = balances.handlers(HandlerSpec::new("balances")); // for `App::handlers`
/// # assert_eq!(handlers.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[must_use = "a projection takes events when it is prepared and its handlers are in an application"]
pub struct BusProjector<P, M> {
    model: M,
    projection: P,
    settings: Settings,
}

impl<P: Projection, M: BusReadModel + ReadModel<Connection = P::Connection>> BusProjector<P, M> {
    /// Has the events of `projection`, whose tables are in `model`, come by a bus.
    pub fn new(model: M, projection: P) -> Self {
        let settings = Settings {
            on_failure: OnBusFailure::DeadLetter,
            retry: RetryPolicy::attempts(10),
            any_order: false,
            batch: 1,
            poll: Duration::from_secs(1),
            answer_within: Duration::from_secs(8),
            lease: Duration::from_secs(15),
            env: Env::system(),
        };
        BusProjector { model, projection, settings }
    }

    /// What becomes of an event that cannot be handled; a dead letter unless told. Bytes that cannot be read as an event,
    /// events of an unknown major version, and those with a zero character, or more than 2,000
    /// bytes, in an id are dead letters in any case.
    pub fn on_failure(mut self, on_failure: OnBusFailure) -> Self {
        self.settings.on_failure = on_failure;
        self
    }

    /// How often an event is tried whose error is not permanent, and with what pauses; 10 times, with pauses of up to 30 s,
    /// unless told. It is told here and not by the handler's spec, and events wait in their lanes, not at the broker. While the read model's database does not answer, that is no
    /// attempt.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// The events of a stream may be handled in whatever order they come, each once: for a bus that keeps no order, and for
    /// projections to which it is all the same, such as sums. Without it, a bus without order is refused at start-up, and an event
    /// that was overtaken cannot be handled.
    pub fn any_order(mut self) -> Self {
        self.settings.any_order = true;
        self
    }

    /// Applies up to so many events of a partition that have come already in one transaction, by
    /// [`apply_batch`](Projection::apply_batch): faster by far where many have come, as when a topic is read from its start. One
    /// unless told: a key is then a lane of its own, and an event that fails holds up its key alone; with more than one, it holds
    /// up its partition while it is tried. Where not all of them can be handled, each is by itself. The handler's time limit is for
    /// all of them together; one that hangs fails alone.
    pub fn batch(mut self, events: usize) -> Self {
        self.settings.batch = events.max(1);
        self
    }

    /// Looks at least this often whether a projection that is paused, or has stopped, is to go on, and whether a database that
    /// did not answer does; once a second unless told.
    pub fn poll_every(mut self, poll: Duration) -> Self {
        self.settings.poll = poll;
        self
    }

    /// How long the database may take to begin a transaction, to mark an event, and to commit; 8 s each unless told. Behind that it is
    /// taken for one that does not answer. To be less than the handlers' time limit, which counts as an attempt.
    pub fn answer_within(mut self, limit: Duration) -> Self {
        self.settings.answer_within = limit;
        self
    }

    /// How long a handler may leave its transaction without a statement, on PostgreSQL; 15 s unless told.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.settings.lease = idle;
        self
    }

    /// Takes time and ids from `env`.
    pub fn env(mut self, env: Env) -> Self {
        self.settings.env = env;
        self
    }

    /// Makes the tables where they are missing. Events come when the [handlers](BusProjection::handlers) run in an application.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) when the name is no good, when the projection does not say its
    /// [event types](Projection::event_types), and when the read model was made from a store;
    /// [`Unsupported`](ErrorKind::Unsupported) when it was made by another [version](Projection::version), since what came by a bus
    /// cannot be had again to build it anew; [`Projection`](ErrorKind::Projection) when the tables could not be made; and when
    /// the read model does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves tables that are whole, or none.
    pub async fn prepare(self) -> Result<BusProjection<P, M>, Error> {
        let BusProjector { model, projection, settings } = self;
        check(&projection)?;
        let build = ensure(&model, &projection).await?;
        let filter = projection.filter();
        let (attempts, cut_short) = (Attempts::default(), Attempts::default());
        let core = Core { model, projection, filter, build, settings, attempts, cut_short };
        Ok(BusProjection::new(Arc::new(core)))
    }
}

fn check(projection: &impl Projection) -> Result<(), Error> {
    let name = projection.name();
    check_name(name)?;
    let wrong = if projection.version() == 0 {
        "its version is 0; count from 1"
    } else if projection.event_types().is_empty() {
        "it names no event types to subscribe to; write `event_types`, or have `#[projection]` write it"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Config, format!("setting up projection `{name}`: {wrong}")))
}

/// The build that events go to; it is made where there is none.
async fn ensure<P, M>(model: &M, projection: &P) -> Result<BuildId, Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    let (name, version) = (projection.name(), projection.version());
    loop {
        let builds = model.builds(name).await?;
        if let Some(live) = builds.into_iter().find(|build| build.id.state == BuildState::Live) {
            return accept(live, version);
        }
        let new = NewBuild {
            projection: name.to_owned(),
            state: BuildState::Live,
            version,
            shards: 1,
            live_from: build::from_bus(),
        };
        // Somebody else may be quicker.
        let Some(mut transaction) = model.begin_build(&new).await? else { continue };
        prepare(model, projection, &mut transaction).await?;
        transaction.commit().await?;
    }
}

/// Refuses a build that is not for these events.
fn accept(live: Build, version: u32) -> Result<BuildId, Error> {
    let name = &live.id.projection;
    if !live.is_from_bus() {
        let what = format!(
            "preparing projection `{name}` for events of a bus: it follows a store, and what is in it would be counted again; start \
             a `Projector`, or give this one another name"
        );
        return Err(Error::new(ErrorKind::Config, what));
    }
    if live.version != version {
        let found = live.version;
        let what = format!(
            "preparing projection `{name}` in version {version}: what is there is of version {found}, and cannot be built anew, since \
             what came by the bus has gone by; give the new one another name and a group of its own, which reads what the bus still \
             has, and remove the old one when readers have changed over"
        );
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    Ok(live.id)
}

impl<P: Projection, M: fmt::Debug> fmt::Debug for BusProjector<P, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.projection.name();
        f.debug_struct("BusProjector")
            .field("projection", &name)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
