//! The swap: the next build takes the place of the live one, in one transaction.
//!
//! A next build never overtakes the live one, so that whoever was to be told of an event was told by the live one. Where the two
//! have shards of the same streams, both are at the same place when the swap is tried. Otherwise the shards of the live one
//! are at different places; what lies between them is handled here, while nobody else can.

use std::sync::PoisonError;

use super::rest::{self, Distance};
use super::step::Core;
use super::{Build, BuildState, Projection, ReadModel, ReadModelTransaction, Stopped, panics};
use crate::{Error, ErrorKind, StoredEvent};

/// Lets `next` take the place of `live` where that can be. Whether it has. An error that another try would not mend is kept for
/// whoever waits for the swap.
pub(super) async fn swap<P, M>(core: &Core<P, M>, live: &Build, next: &Build) -> Result<bool, Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    let swapped = match is_near(core, live, next).await {
        Ok(true) if core.tidy().await => replace(core, next).await,
        Ok(_) => Ok(false),
        Err(error) => Err(error),
    };
    match swapped {
        Err(error) if !error.is_retryable() && error.kind() != ErrorKind::Closed => {
            let (projection, text) = (core.name(), jitney_core::error_chain(&error));
            tracing::error!(projection, error = text, "a rebuilt projection cannot take its place");
            *core.failed_swap.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            core.news.send_modify(|times| *times = times.wrapping_add(1));
            Ok(false)
        }
        swapped => swapped,
    }
}

/// Whether a swap is worth a try, so that nobody is held up by one that is not: no shard of `next` has stopped, and each is where
/// the live build is, or so near that the rest can be handled in the swap.
///
/// # Errors
///
/// When the store does not answer; and one that is not retryable when `next` can never come so near as things are.
async fn is_near<P, M>(core: &Core<P, M>, live: &Build, next: &Build) -> Result<bool, Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    if next.paused || live.paused || next.shards.iter().any(|shard| shard.stopped.is_some()) {
        return Ok(false);
    }
    for (number, shard) in (0..).zip(&next.shards) {
        let target = live.ceiling(number, next.shards.len());
        match rest::distance(core, shard.position.clone(), &target).await? {
            Distance::Near => {}
            Distance::Hidden => return Ok(false),
            Distance::Far => {
                let is_at_ceiling = target.iter().any(|target| shard.position.has_reached(target));
                let stopped = live.shards.iter().find_map(|shard| shard.stopped.as_ref());
                return match stopped.filter(|_| is_at_ceiling) {
                    Some(stopped) => Err(too_far(core.name(), stopped, live.shards.len())),
                    None => Ok(false),
                };
            }
        }
    }
    Ok(true)
}

/// Whether each shard of `next` is where the live build is.
pub(super) fn is_there(live: &Build, next: &Build) -> bool {
    (0..).zip(&next.shards).all(|(number, shard)| {
        let target = live.ceiling(number, next.shards.len());
        target.iter().all(|target| shard.position.has_reached(target))
    })
}

fn too_far(name: &str, stopped: &Stopped, shards: usize) -> Error {
    let what = format!(
        "letting a rebuilt projection `{name}` take its place, for which all shards of the live one have to come near each other, or the \
         new one has to have {shards} shards too: one, far behind the others, {stopped}"
    );
    Error::new(ErrorKind::Projection, what)
}

/// Lets `next` take the place of the live build where it has come as far. Whether it has.
async fn replace<P, M>(core: &Core<P, M>, next: &Build) -> Result<bool, Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    let mut transaction = core.model.begin(&next.id, core.settings.lease).await?;
    let builds = transaction.lock().await?;
    let live = builds.iter().find(|build| build.id.state == BuildState::Live);
    let (Some(live), Some(next)) = (live, builds.iter().find(|build| build.id == next.id)) else {
        return Ok(false);
    };
    if next.paused || live.paused {
        return Ok(false);
    }
    let target = |number| live.ceiling(number, next.shards.len());
    let is_new =
        |event: &StoredEvent| !live.has_handled(event) && !live.live_from.has_reached(event.position());
    let Some(told) = rest::apply(core, &core.store, &mut transaction, next, target, is_new).await? else {
        return Ok(false);
    };
    if !transaction.replace().await? {
        return Ok(false);
    }
    transaction.commit().await?;
    tracing::info!(
        projection = core.name(),
        version = next.version,
        "a rebuilt projection has taken its place"
    );
    if !told.is_empty() {
        panics::tell(&core.projection, &told).await;
    }
    Ok(true)
}
