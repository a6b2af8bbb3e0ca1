//! The schemas that are known by their ids.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rapidhash::RapidHashMap;
use tokio::sync::Mutex;

use crate::format::Reader;
use crate::{Error, SchemaRegistry};

/// Schemas by id: those that were there at the start without a lock, and those that came later.
pub(crate) struct Known {
    registry: Arc<dyn SchemaRegistry>,
    warm: RapidHashMap<u32, Reader>,
    late: RwLock<RapidHashMap<u32, Arc<Reader>>>,
    /// One request at a time: most of those that wait find what they want when it is their turn.
    asking: Mutex<()>,
}

impl Known {
    pub(crate) fn new(registry: Arc<dyn SchemaRegistry>, warm: RapidHashMap<u32, Reader>) -> Self {
        Known { registry, warm, late: RwLock::default(), asking: Mutex::default() }
    }

    pub(crate) fn has(&self, id: u32) -> bool {
        self.warm.contains_key(&id) || self.late(id).is_some()
    }

    /// Calls `read` with the schema `id`, where it is known.
    pub(crate) fn with<T>(&self, id: u32, read: impl FnOnce(&Reader) -> T) -> Option<T> {
        match self.warm.get(&id) {
            Some(reader) => Some(read(reader)),
            None => self.late(id).map(|reader| read(&reader)),
        }
    }

    /// Asks the registry for the schema `id`, unless it is known.
    pub(crate) async fn fetch(&self, id: u32) -> Result<(), Error> {
        let _asking = self.asking.lock().await;
        if self.has(id) {
            return Ok(());
        }
        let schema = self.registry.by_id(id).await?;
        let reader = Reader::of(&schema).map_err(|error| {
            Error::new(error.kind(), format!("reading the schema {id}")).with_source(error)
        })?;
        tracing::debug!(id, format = %schema.format, "a schema that was not known came from the registry");
        self.late.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::new(reader));
        Ok(())
    }

    fn late(&self, id: u32) -> Option<Arc<Reader>> {
        self.late.read().unwrap_or_else(PoisonError::into_inner).get(&id).map(Arc::clone)
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("registry", &self.registry.describe()).finish_non_exhaustive()
    }
}
