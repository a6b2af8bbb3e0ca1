//! A projection becomes inline: its build is brought to where the store ends, and kept up by the appends from then on.

use std::fmt;
use std::sync::{Arc, PoisonError};

use futures_util::future::BoxFuture;
use jitney_core::Env;
use jitney_core::personal::Sealer;

use super::InlineProjection;
use crate::projection::handle::LOOK;
use crate::projection::projector::Settings;
use crate::projection::rest::{self, Distance, ReadRest};
use crate::projection::running::RunningProjector;
use crate::projection::step::Core;
use crate::projection::worker::{Task, ensure};
use crate::projection::{Build, BuildId, BuildState, Projection, Projector, ReadModel, panics};
use crate::sealing::open_page;
use crate::{Error, ErrorKind, EventStore, Filter, Page, Position, StoredEvent};

/// A read model in the database of an event store, which can be kept up by the appends.
pub trait InlineReadModel: ReadModel {
    /// Begins a transaction in the live build that nobody appends beside: says how the build is, with its shards locked,
    /// and where the store ends. None where there is no such live build any more, or it is inline.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or somebody has been appending for too long.
    fn begin_inline(
        &self,
        build: &BuildId,
    ) -> impl Future<Output = Result<Option<(Self::Transaction, Build, Position)>, Error>> + Send;

    /// As [`EventStore::read_all`] of the store, in `transaction`: other connections may all be waiting for that. Personal data is
    /// left sealed.
    ///
    /// # Errors
    ///
    /// As [`EventStore::read_all`].
    fn read_all(
        &self,
        transaction: &mut Self::Transaction,
        after: &Position,
        filter: &Filter,
        limit: usize,
    ) -> impl Future<Output = Result<Page, Error>> + Send;

    /// Records that appends keep the build up, and commits. Whoever else had a shard of it has lost it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn make_inline(&self, transaction: Self::Transaction) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What is read in the transaction that holds everybody up: other connections may all be waiting for it.
struct Locked<'a, M> {
    model: &'a M,
    sealer: Option<&'a dyn Sealer>,
}

impl<M: InlineReadModel> ReadRest<M::Transaction> for Locked<'_, M> {
    fn read_rest<'a>(
        &'a self,
        transaction: &'a mut M::Transaction,
        after: &'a Position,
        filter: &'a Filter,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, Error>> {
        Box::pin(async move {
            let page = self.model.read_all(transaction, after, filter, limit).await?;
            open_page(self.sealer, page).await
        })
    }
}

/// A projection that is to be inline in a store, for the set-up of one.
///
/// Where the store has events that it is for, or the read model was made by a lower version, a projector makes it first,
/// beside what readers see; it becomes inline when it has caught up. The last step is made while nobody appends.
pub struct MakeInline<M: ReadModel> {
    make: Arc<Make<M>>,
}

/// What makes the projection inline in the read model, beside the store.
type Make<M> = dyn Fn(
        Arc<dyn EventStore>,
        M,
        Env,
    ) -> BoxFuture<'static, Result<InlineProjection<<M as ReadModel>::Connection>, Error>>
    + Send
    + Sync;

impl<M: InlineReadModel> MakeInline<M> {
    /// `projection` is to be inline.
    pub fn new<P: Projection<Connection = M::Connection>>(projection: P) -> Self {
        let projection = Arc::new(projection);
        let make = move |store, model, env| -> BoxFuture<'static, _> {
            Box::pin(make_inline(store, model, Arc::clone(&projection), env))
        };
        MakeInline { make: Arc::new(make) }
    }

    /// Makes it inline in `model`, which is in the database of `store`, where it is not. Several processes may do so at once.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) when the name is no good, the projection is paused, or the database has a
    /// higher version of it; [`Projection`](ErrorKind::Projection) when it cannot be made, or an event that is there cannot
    /// be handled; and when the database does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it inline, or as far as it has come: the next call goes on with that.
    pub async fn make(
        &self,
        store: Arc<dyn EventStore>,
        model: M,
        env: Env,
    ) -> Result<InlineProjection<M::Connection>, Error> {
        (self.make)(store, model, env).await
    }
}

async fn make_inline<P, M>(
    store: Arc<dyn EventStore>,
    model: M,
    projection: Arc<P>,
    env: Env,
) -> Result<InlineProjection<P::Connection>, Error>
where
    P: Projection,
    M: InlineReadModel<Connection = P::Connection>,
{
    loop {
        let builds = model.builds(projection.name()).await?;
        refuse(projection.name(), projection.version(), &builds)?;
        let ours = live(&builds, projection.version());
        if let Some(build) = ours.filter(|build| build.inline) {
            return Ok(InlineProjection::new(projection, build.id.number));
        }
        let shards = ours.map_or(1, |build| build.shards.len());
        let projector = Projector::new(Arc::clone(&store), model.clone(), Arc::clone(&projection));
        let projector = projector.env(env.clone()).shards(u16::try_from(shards).unwrap_or(u16::MAX));
        let core = projector.into_core()?;
        ensure(&core, false).await?;
        let builds = model.builds(projection.name()).await?;
        if let Some(ours) = live(&builds, projection.version())
            && (ours.inline || (is_near(&core, ours).await? && adopt(&core, &ours.id).await?))
        {
            continue;
        }
        tracing::info!(
            projection = projection.name(),
            version = projection.version(),
            "a projection is brought to where the store ends, to become inline"
        );
        let running = RunningProjector::new(Arc::clone(&core), Task::Follow);
        let done = until_at_end(&core, &running).await;
        running.shutdown().await?;
        done?;
    }
}

/// The live build, where it is of `version`.
fn live(builds: &[Build], version: u32) -> Option<&Build> {
    builds.iter().find(|build| build.id.state == BuildState::Live && build.version == version)
}

/// Waits until the live build is of this version, and where the store ends by now.
async fn until_at_end<P, M>(core: &Core<P, M>, running: &RunningProjector<M>) -> Result<(), Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    let Settings { env, lease, .. } = &core.settings;
    let (end, began, version) = (core.store.end().await?, env.instant(), core.projection.version());
    loop {
        let builds = core.model.builds(core.name()).await?;
        if live(&builds, version).is_some_and(|live| live.has_reached(&end)) {
            return Ok(());
        }
        if let Some(error) = core.failed_swap.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        // What had stopped before is tried again: at once here, or later by whoever has the shard.
        let is_late = env.instant().duration_since(began) > *lease;
        refuse(core.name(), version, &builds)?;
        for build in builds.iter().filter(|build| build.version == version) {
            running.refuse_stopped(build, |shard| is_late || shard.owner.as_ref() == Some(&core.worker))?;
        }
        env.sleep(LOOK).await;
    }
}

/// Refuses what would never be done.
fn refuse(name: &str, version: u32, builds: &[Build]) -> Result<(), Error> {
    let refused = |what: String| {
        Err(Error::new(ErrorKind::Config, format!("making projection `{name}` inline: {what}")))
    };
    if let Some(newer) = builds.iter().map(|build| build.version).find(|known| *known > version) {
        return refused(format!(
            "it is of version {newer}, this program knows version {version}; use a newer version of it"
        ));
    }
    let is_made = |build: &Build| build.inline && build.version == version;
    if builds.iter().any(|build| build.paused && !is_made(build)) {
        return refused("it is paused; resume it first".to_owned());
    }
    Ok(())
}

/// Whether so little is left to be handled that it is worth holding up everybody who appends.
async fn is_near<P: Projection, M>(core: &Core<P, M>, live: &Build) -> Result<bool, Error> {
    let end = [core.store.end().await?];
    for shard in &live.shards {
        if rest::distance(core, shard.position.clone(), &end).await? != Distance::Near {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes the live build inline where so little is left to be handled that nobody need wait for it. Whether it is.
async fn adopt<P, M>(core: &Core<P, M>, live: &BuildId) -> Result<bool, Error>
where
    P: Projection,
    M: InlineReadModel<Connection = P::Connection>,
{
    let Some((mut transaction, build, end)) = core.model.begin_inline(live).await? else { return Ok(true) };
    if build.shards.iter().any(|shard| shard.stopped.is_some()) {
        return Ok(false);
    }
    let target = |_| vec![end.clone()];
    let locked = Locked { model: &core.model, sealer: core.store.sealer() };
    let is_new = |event: &StoredEvent| !build.live_from.has_reached(event.position());
    let Some(told) = rest::apply(core, &locked, &mut transaction, &build, target, is_new).await? else {
        return Ok(false);
    };
    core.model.make_inline(transaction).await?;
    tracing::info!(projection = core.name(), version = build.version, "a projection is inline from now on");
    if !told.is_empty() {
        panics::tell(&core.projection, &told).await;
    }
    Ok(true)
}

impl<M: ReadModel> Clone for MakeInline<M> {
    fn clone(&self) -> Self {
        MakeInline { make: Arc::clone(&self.make) }
    }
}

impl<M: ReadModel> fmt::Debug for MakeInline<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeInline").finish_non_exhaustive()
    }
}
