//! Builds in memory that the appends of a store in memory keep up.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;

use super::{MemoryReadModel, MemoryTransaction, placed};
use crate::memory::{Appends, Applied, KeepUp, Key};
use crate::projection::{
    Build, BuildId, BuildState, InlineProjection, InlineReadModel, ReadModelTransaction,
};
use crate::{Error, ErrorKind, Filter, Page, Position, StoredEvent};

impl<S: Clone + Default + Send + Sync + 'static> MemoryReadModel<S> {
    /// The same read model, beside the store of `appends`.
    pub(crate) fn beside(&self, appends: Appends) -> Self {
        MemoryReadModel { beside: Some(appends), ..self.clone() }
    }

    fn appends(&self, projection: &str) -> Result<&Appends, Error> {
        self.beside.as_ref().ok_or_else(|| {
            let what = format!(
                "making projection `{projection}` inline: a read model in memory is beside no store by itself; give both to \
                 `MemoryStore::inline`"
            );
            Error::new(ErrorKind::Config, what)
        })
    }

    fn key(&self, projection: &str, number: u64) -> Key {
        Key { name: projection.to_owned(), build: number, model: Arc::as_ptr(&self.projections).addr() }
    }

    /// Whether appends keep the build of this number up.
    fn is_inline(&self, projection: &str, number: u64) -> bool {
        let projections = self.projections();
        let builds = projections.get(projection).map(|kept| kept.record.builds()).unwrap_or_default();
        builds.iter().any(|build| build.inline && build.id.number == number)
    }
}

impl<S: Clone + Default + Send + Sync + 'static> InlineReadModel for MemoryReadModel<S> {
    async fn begin_inline(
        &self,
        id: &BuildId,
    ) -> Result<Option<(MemoryTransaction<S>, Build, Position)>, Error> {
        let appends = self.appends(&id.projection)?;
        let mut transaction = self.transaction(&id.projection, id.number).await;
        transaction.held_up = Some(appends.hold_up().await);
        let builds = placed(transaction.record.builds(), None);
        let build = builds.into_iter().find(|build| build.id == *id && !build.inline);
        let build = build.filter(|build| build.id.state == BuildState::Live);
        Ok(build.map(|build| (transaction, build, appends.end())))
    }

    async fn read_all(
        &self,
        transaction: &mut MemoryTransaction<S>,
        after: &Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<Page, Error> {
        self.appends(&transaction.projection)?.read_all(after, filter, limit)
    }

    async fn make_inline(&self, mut transaction: MemoryTransaction<S>) -> Result<(), Error> {
        let (name, number) = (transaction.projection.clone(), transaction.number);
        let appends = self.appends(&name)?.clone();
        transaction.record.make_inline(number);
        // The store hears of it before anybody can append: that is held up until the transaction has ended.
        let held_up = transaction.held_up.take();
        transaction.commit().await?;
        if let Some(kept) = self.projections().get_mut(&name) {
            kept.inline = Some(appends.clone());
        }
        let (model, is_of) = (self.clone(), name.clone());
        appends.register(self.key(&name, number), Box::new(move || model.is_inline(&is_of, number)));
        drop(held_up);
        Ok(())
    }
}

/// A projection in a read model, which appends keep up.
pub(crate) struct KeptUp<S> {
    model: MemoryReadModel<S>,
    projection: InlineProjection<S>,
}

impl<S: Clone + Default + Send + Sync + 'static> KeptUp<S> {
    pub(crate) fn new(model: MemoryReadModel<S>, projection: InlineProjection<S>) -> Self {
        KeptUp { model, projection }
    }
}

#[async_trait]
impl<S: Clone + Default + Send + Sync + 'static> KeepUp for KeptUp<S> {
    fn key(&self) -> Key {
        self.model.key(self.projection.name(), self.projection.build())
    }

    async fn apply(&self, events: &[StoredEvent]) -> Result<Option<Applied>, Error> {
        if !events.iter().any(|event| self.projection.is_for(event)) {
            return Ok(None);
        }
        let (model, name, number) = (&self.model, self.projection.name(), self.projection.build());
        let state = {
            let projections = model.projections.lock().unwrap_or_else(PoisonError::into_inner);
            let place = projections.get(name).and_then(|kept| kept.places.get(&number));
            place.map(|place| place.state.clone()).unwrap_or_default()
        };
        let mut state = state;
        self.projection.apply(events, &mut state).await?;
        let (model, name) = (model.clone(), name.to_owned());
        Ok(Some(Box::new(move || {
            let mut projections = model.projections();
            let place = projections.get_mut(&name).and_then(|kept| kept.places.get_mut(&number));
            if let Some(place) = place {
                place.state = state;
            }
        })))
    }

    async fn tell(&self, events: &[StoredEvent]) {
        self.projection.tell(events).await;
    }
}
