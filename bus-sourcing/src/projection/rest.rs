//! What is left of a build's events, handled while nobody else can.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::build::shard_of;
use super::step::Core;
use super::{Build, Projecting, Projection, ReadModel, ReadModelTransaction, Step, panics};
use crate::{Error, ErrorKind, EventStore, Filter, Page, Position, StoredEvent};

/// No more pages than that are handled while nobody else can.
const MOST_PAGES: usize = 4;

/// Where what is left is read from, beside or in the transaction that it is handled in.
pub(super) trait ReadRest<T>: Sync {
    /// As [`EventStore::read_all`].
    fn read_rest<'a>(
        &'a self,
        transaction: &'a mut T,
        after: &'a Position,
        filter: &'a Filter,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, Error>>;
}

/// The store, which may be anywhere.
impl<T> ReadRest<T> for Arc<dyn EventStore> {
    fn read_rest<'a>(
        &'a self,
        _: &'a mut T,
        after: &'a Position,
        filter: &'a Filter,
        limit: usize,
    ) -> BoxFuture<'a, Result<Page, Error>> {
        self.read_all(after, filter, limit)
    }
}

/// How far it is to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distance {
    /// No more than is handled here.
    Near,
    /// More than that.
    Far,
    /// Something in between cannot be read yet.
    Hidden,
}

/// How far it is from `position` to all of `target`, by reading alone.
///
/// # Errors
///
/// When the store does not answer.
pub(super) async fn distance<P: Projection, M>(
    core: &Core<P, M>,
    mut position: Position,
    target: &[Position],
) -> Result<Distance, Error> {
    let mut pages = 0;
    while !target.iter().all(|target| position.has_reached(target)) {
        if pages == MOST_PAGES {
            return Ok(Distance::Far);
        }
        let page = core.store.read_all(&position, &core.filter, core.settings.batch).await?;
        if page.position == position {
            return Ok(Distance::Hidden);
        }
        (position, pages) = (page.position, pages + 1);
    }
    Ok(Distance::Near)
}

/// Handles in `transaction` what the shards of `build`, which are locked, have not come to of their targets. The events
/// that `is_new` is true of, of which somebody is to be told behind the commit; none where more is left than is handled
/// here, or it cannot be read yet, or the shards are another one's: then nothing is to be committed.
///
/// # Errors
///
/// When store or read model do not answer, or the projection refuses an event.
pub(super) async fn apply<P, M>(
    core: &Core<P, M>,
    from: &impl ReadRest<M::Transaction>,
    transaction: &mut M::Transaction,
    build: &Build,
    target: impl Fn(u16) -> Vec<Position>,
    is_new: impl Fn(&StoredEvent) -> bool,
) -> Result<Option<Vec<StoredEvent>>, Error>
where
    P: Projection,
    M: ReadModel<Connection = P::Connection>,
{
    let mut told = Vec::new();
    for (number, shard) in (0..).zip(&build.shards) {
        let target = target(number);
        let is_there = |position: &Position| target.iter().all(|target| position.has_reached(target));
        let mut position = shard.position.clone();
        for page in 0.. {
            if is_there(&position) {
                break;
            }
            if page == MOST_PAGES {
                return Ok(None);
            }
            let page = from.read_rest(transaction, &position, &core.filter, core.settings.batch).await?;
            if page.position == position {
                return Ok(None);
            }
            let shards = build.shards.len();
            let mut events = page.events;
            events.retain(|event| shard_of(event, shards) == number);
            let step = Step {
                shard: number,
                epoch: shard.epoch,
                from: &position,
                to: &page.position,
                handled: events.len() as u64,
                last_time: events.last().map(|event| event.head().time),
                passed: None,
            };
            if !transaction.advance(&step).await? {
                return Ok(None);
            }
            for events in events.chunk_by(|a, b| is_new(a) == is_new(b)) {
                let is_new = events.first().is_some_and(&is_new);
                let mut at = Projecting::new(transaction.connection(), is_new);
                let applied = panics::apply(&core.projection, events, &mut at).await;
                applied.map_err(|error| {
                    let name = core.projection.name();
                    let what = format!("handling the last events before projection `{name}` takes its place");
                    let retryable = error.is_retryable();
                    Error::new(ErrorKind::Projection, what)
                        .with_source(jitney_core::error_chain(error.source_error()))
                        .retryable(retryable)
                })?;
                if is_new {
                    told.extend_from_slice(events);
                }
            }
            position = page.position;
        }
    }
    Ok(Some(told))
}
