//! Read models that are made anew when somebody is forgotten, since they hold what was opened.

use std::fmt;

use futures_util::future::BoxFuture;
use jitney_core::error_chain;

use super::{BuildState, Projection, Projector, ReadModel};
use crate::{Error, ErrorKind};

/// The read models that hold personal data in plain text, each with its projector: those that are to be made anew when a subject is
/// forgotten.
///
/// ```
/// use jitney_sourcing::projection::Rebuilds;
/// # use jitney_sourcing::{MemoryReadModel, MemoryStore, Projection, Projector};
/// # async fn example<S, P>(store: MemoryStore, model: MemoryReadModel<S>, projection: fn() -> P) -> Result<(), jitney_sourcing::Error>
/// # where S: Clone + Default + Send + Sync + 'static, P: Projection<Connection = S> {
///
/// let rebuilds = Rebuilds::new().of(move || Projector::new(store.clone(), model.clone(), projection()));
/// for made in rebuilds.run().await? {
///     println!("projection `{}` was made anew", made.projection);
/// }
/// # Ok(()) }
/// ```
#[derive(Default)]
#[must_use = "nothing is made anew until it is run"]
pub struct Rebuilds(Vec<Box<Rebuild>>);

type Rebuild = dyn Fn() -> BoxFuture<'static, Result<Option<Rebuilt>, Error>> + Send + Sync;

/// A read model that was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// The name of the projection.
    pub projection: String,
    /// The number of the build that is live by now.
    pub build: u64,
}

impl Rebuilds {
    /// None.
    pub fn new() -> Self {
        Rebuilds::default()
    }

    /// And the read model of the projector that `make` sets up, as it is set up where it is started.
    pub fn of<P, M>(mut self, make: impl Fn() -> Projector<P, M> + Clone + Send + Sync + 'static) -> Self
    where
        P: Projection,
        M: ReadModel<Connection = P::Connection>,
    {
        self.0.push(Box::new(move || Box::pin(anew(make.clone()))));
        self
    }

    /// Makes all of them anew, one after the other, each beside the one that is there until it [takes its
    /// place](Projector::rebuild), and says which. What is there of the old ones is removed. A build that was being made already
    /// may have what is forgotten: it does not count. A read model that was never made holds nothing.
    ///
    /// Call it when nobody opens anything of the subject any more: behind the time for which other processes may still know its
    /// key. It may be called again, and starts anew then.
    ///
    /// # Errors
    ///
    /// Those of [`Projector::rebuild`], of all that fail, when all others were made anew. Of kind
    /// [`Unsupported`](ErrorKind::Unsupported) where one is inline, which a rebuild would have it be no longer: raise its
    /// [version](Projection::version) and open the store with it. Of kind [`Config`](ErrorKind::Config) where one is paused: resume
    /// it first.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    ///
    /// # Cancellation
    ///
    /// What was made stays so; what is being made is left beside the old one.
    pub async fn run(&self) -> Result<Vec<Rebuilt>, Error> {
        let mut made = Vec::with_capacity(self.0.len());
        let mut failed = Vec::new();
        for rebuild in &self.0 {
            match rebuild().await {
                Ok(rebuilt) => made.extend(rebuilt),
                Err(error) => failed.push(error),
            }
        }
        if failed.len() < 2 {
            return failed.pop().map_or(Ok(made), Err);
        }
        let all: Vec<_> = failed.iter().map(|error| error_chain(error)).collect();
        let what = format!(
            "making read models anew since somebody is forgotten, {} failed: {}",
            all.len(),
            all.join("; ")
        );
        // Once more is worth it where it is for one of them.
        let retryable = failed.iter().any(Error::is_retryable);
        Err(Error::new(failed[0].kind(), what).retryable(retryable))
    }
}

async fn anew<P, M>(make: impl Fn() -> Projector<P, M>) -> Result<Option<Rebuilt>, Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    let core = make().into_core()?;
    let builds = core.model.builds(core.name()).await?;
    let Some(newest) = builds.iter().map(|build| build.id.number).max() else { return Ok(None) };
    if builds.iter().any(|build| build.inline) {
        let what = format!(
            "rebuilding projection `{}` since somebody is forgotten: it is inline; raise its version, and open the store with it, which \
             makes it anew",
            core.name()
        );
        return Err(Error::new(ErrorKind::Unsupported, what));
    }
    if builds.iter().any(|build| build.paused) {
        let what = format!(
            "rebuilding projection `{}` since somebody is forgotten: it is paused, and would never be done; resume it first",
            core.name()
        );
        return Err(Error::new(ErrorKind::Config, what));
    }
    let build = loop {
        make().rebuild().await?;
        let builds = core.model.builds(core.name()).await?;
        let live = builds.iter().find(|build| build.id.state == BuildState::Live);
        // One that was begun before has taken its place otherwise.
        if let Some(live) = live.filter(|live| live.id.number > newest) {
            break live.id.number;
        }
    };
    let (env, lease, poll) = (&core.settings.env, core.settings.lease, core.settings.poll);
    let give_up_at = env.instant() + lease;
    // Somebody may still read what is left of the old one.
    let cleaned = async || {
        core.model.clean_up(core.name()).await?;
        core.model.overwrite_deleted().await
    };
    while let Err(error) = cleaned().await {
        if env.instant() >= give_up_at {
            return Err(error);
        }
        env.sleep(poll.min(lease / 10)).await;
    }
    tracing::info!(
        projection = core.name(),
        build,
        "a read model was made anew, since somebody is forgotten"
    );
    Ok(Some(Rebuilt { projection: core.name().to_owned(), build }))
}

impl fmt::Debug for Rebuilds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebuilds").field("read_models", &self.0.len()).finish()
    }
}
