//! The schemas that are known by their ids.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use rapidhash::RapidHashMap;

use crate::format::Reader;
use crate::{Error, SchemaRegistry};

/// A question to the registry. Whoever waits for the answer drives it, so it matters to nobody whether another one still does.
type Asking = Shared<BoxFuture<'static, Result<(), Arc<Error>>>>;

/// Schemas by id: those that were there at the start without a lock, and those that came later.
pub(crate) struct Known {
    registry: Arc<dyn SchemaRegistry>,
    warm: RapidHashMap<u32, Reader>,
    late: RwLock<RapidHashMap<u32, Arc<Reader>>>,
    /// One question for each id.
    asking: Mutex<RapidHashMap<u32, Asking>>,
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
    pub(crate) async fn fetch(self: &Arc<Self>, id: u32) -> Result<(), Error> {
        let answered = self.ask(id).await;
        let Err(error) = answered else { return Ok(()) };
        Err(Error::new(error.kind(), format!("asking for the schema {id}")).with_source(error))
    }

    fn ask(self: &Arc<Self>, id: u32) -> Asking {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = || {
            let known = Arc::clone(self);
            let ask = async move {
                let fetched = known.get(id).await.map_err(Arc::new);
                // Who comes behind an error asks anew.
                known.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                fetched
            };
            ask.boxed().shared()
        };
        asking.entry(id).or_insert_with(ask).clone()
    }

    async fn get(&self, id: u32) -> Result<(), Error> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use tokio::sync::Notify;

    use super::*;
    use crate::{Compatibility, ErrorKind, Format, RegisteredSchema, Schema, SchemaVersion, Verdict};

    /// Answers by id, when it is told to.
    #[derive(Debug, Default)]
    struct Scripted {
        asked: AtomicUsize,
        answer: Notify,
        errors: Mutex<Vec<ErrorKind>>,
    }

    #[async_trait]
    impl SchemaRegistry for Arc<Scripted> {
        fn describe(&self) -> String {
            "a script".to_owned()
        }

        async fn by_id(&self, _: u32) -> Result<Schema, Error> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.answer.notified().await;
            match self.errors.lock().unwrap().pop() {
                Some(kind) => Err(Error::new(kind, "as it is written")),
                None => Ok(Schema::new(Format::Json, r#"{"title":"A"}"#)),
            }
        }

        async fn register(&self, _: &str, _: &Schema) -> Result<u32, Error> {
            unreachable!("nothing is registered here")
        }

        async fn find(&self, _: &str, _: &Schema) -> Result<Option<u32>, Error> {
            unreachable!("nothing is looked for here")
        }

        async fn version(&self, _: &str, _: SchemaVersion) -> Result<Option<RegisteredSchema>, Error> {
            unreachable!("nobody asks for versions here")
        }

        async fn check(&self, _: &str, _: &Schema) -> Result<Verdict, Error> {
            unreachable!("nothing is checked here")
        }

        async fn set_rule(&self, _: &str, _: Compatibility) -> Result<(), Error> {
            unreachable!("there are no rules here")
        }
    }

    fn known() -> (Arc<Scripted>, Arc<Known>) {
        let script = Arc::<Scripted>::default();
        (Arc::clone(&script), Arc::new(Known::new(Arc::new(script), RapidHashMap::default())))
    }

    #[tokio::test]
    async fn who_stands_still_holds_nobody_up() {
        let (script, known) = known();
        let mut stands_still = Box::pin(known.fetch(7));
        assert!((&mut stands_still).now_or_never().is_none());
        let (goes_on, other) = (known.fetch(7), known.fetch(8));
        script.answer.notify_one();
        goes_on.await.unwrap();
        script.answer.notify_one();
        other.await.unwrap();
        assert_eq!(script.asked.load(Ordering::SeqCst), 2, "each schema was asked for once");
        stands_still.await.unwrap();
    }

    #[tokio::test]
    async fn an_error_is_for_those_who_waited_and_whoever_comes_later_asks_anew() {
        let (script, known) = known();
        script.errors.lock().unwrap().push(ErrorKind::Unavailable);
        let answer = async { script.answer.notify_one() };
        let (one, two, ()) = tokio::join!(known.fetch(7), known.fetch(7), answer);
        for error in [one.unwrap_err(), two.unwrap_err()] {
            assert!(error.is_retryable() && jitney_core::error_chain(&error).contains("as it is written"));
        }
        script.answer.notify_one();
        known.fetch(7).await.unwrap();
        assert!(known.has(7));
    }
}
