//! The vault: seals personal values, opens them, and forgets subjects.

mod builder;
mod cache;
mod forget;
mod layer;
mod pseudonyms;
mod rotate;
mod sealer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::Env;

pub use builder::VaultBuilder;
pub use layer::VaultLayer;
pub use pseudonyms::Pseudonyms;
pub use rotate::Rotated;

use self::cache::{Cache, Known};
use self::pseudonyms::PseudonymCache;
use crate::key::{DataKey, KeyId};
use crate::{Entry, Error, ErrorKind, Forgetting, KeyManagement, KeyStore, Subject, WrappedKey};

/// Seals what is personal, opens it, and forgets subjects; cheap to clone, all clones are the same vault.
///
/// ```
/// use jitney_privacy::{MasterKey, MasterKeys, MemoryKeyStore, Subject, Vault};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), jitney_privacy::Error> {
/// let master = MasterKeys::new(MasterKey::random("2026-01")?); // in production: MasterKeys::from_env("MASTER_KEYS")?
/// let vault = Vault::builder(MemoryKeyStore::new(), master).open().await?;
/// // Bus::connect(url).await?.with_layer(vault.layer()) seals what is published and opens what is handled.
/// let report = vault.forget(&Subject::new("customer/ALFKI")?).await?;
/// assert!(report.is_new);
/// # Ok(()) }
/// ```
///
/// It has the keys of some subjects at hand, each for no longer than three quarters of
/// [`forget_within`](VaultBuilder::forget_within): what another process has forgotten is not opened here for longer.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn KeyStore>,
    master: Arc<dyn KeyManagement>,
    cache: Cache,
    pseudonyms: PseudonymCache,
    forget_within: Duration,
    by: String,
    followers: Vec<Arc<dyn Forgetting>>,
    env: Env,
}

impl Vault {
    /// The layer that seals what a bus publishes, and opens what is delivered, for
    /// [`Bus::with_layer`](jitney_core::Bus::with_layer). Layers that look into payloads go before it.
    pub fn layer(&self) -> VaultLayer {
        VaultLayer::new(self.clone())
    }

    /// The key to seal with for `subject`; it is made where there is none.
    async fn key_to_seal(&self, subject: &str) -> Result<(KeyId, Arc<DataKey>), Error> {
        let known = match self.inner.cache.get(subject) {
            Some(known) => known,
            None => {
                let subject = Subject::new(subject)?;
                let get_or_create = async {
                    let entry = match self.inner.store.get(&subject).await? {
                        Some(entry) => entry,
                        None => self.create(&subject).await?,
                    };
                    self.known(&subject, entry).await
                };
                self.inner.cache.get_or_fetch(&subject, get_or_create).await?
            }
        };
        match known {
            Known::Key(id, key) => Ok((id, key)),
            Known::Forgotten(tombstone) => {
                let what = format!(
                    "`{subject}` was forgotten at {} by {}: nothing personal is stored of them any more; leave the value out, \
                     or use another subject for a person who has come back",
                    tombstone.at, tombstone.by
                );
                Err(Error::new(ErrorKind::Forgotten, what))
            }
        }
    }

    /// The key `id` of `subject`, to open with; none where it is forgotten.
    async fn key_to_open(&self, subject: &str, id: KeyId) -> Result<Option<Arc<DataKey>>, Error> {
        let unknown = || {
            let what = format!(
                "the key store has not the key {id} of `{subject}`, and the subject is not forgotten; use the key store that \
                 it was sealed with, or restore that"
            );
            Error::new(ErrorKind::UnknownKey, what)
        };
        let known = match self.inner.cache.get(subject) {
            Some(known) => known,
            None => {
                let subject = Subject::new(subject)?;
                let get = async {
                    match self.inner.store.get(&subject).await? {
                        Some(entry) => self.known(&subject, entry).await,
                        None => Err(unknown()),
                    }
                };
                self.inner.cache.get_or_fetch(&subject, get).await?
            }
        };
        match known {
            Known::Key(known, key) if known == id => Ok(Some(key)),
            Known::Key(..) => Err(unknown()),
            Known::Forgotten(_) => Ok(None),
        }
    }

    /// Whether `subject` is forgotten, by what is at hand or else by the key store.
    async fn is_forgotten(&self, subject: &str) -> Result<bool, Error> {
        match self.inner.cache.get(subject) {
            Some(known) => Ok(matches!(known, Known::Forgotten(_))),
            None => {
                let subject = Subject::new(subject)?;
                match self.inner.store.get(&subject).await? {
                    Some(Entry::Forgotten(tombstone)) => {
                        self.inner.cache.set(&subject, Known::Forgotten(tombstone));
                        Ok(true)
                    }
                    _ => Ok(false),
                }
            }
        }
    }

    async fn create(&self, subject: &Subject) -> Result<Entry, Error> {
        let (id, key) = (KeyId::random()?, DataKey::random()?);
        let wrapped = self.inner.master.wrap(subject, id, &key).await?;
        self.inner.store.create(subject, wrapped).await
    }

    async fn known(&self, subject: &Subject, entry: Entry) -> Result<Known, Error> {
        match entry {
            Entry::Forgotten(tombstone) => Ok(Known::Forgotten(tombstone)),
            Entry::Key(wrapped) => {
                Ok(Known::Key(wrapped.id, Arc::new(self.unwrap(subject, &wrapped).await?)))
            }
        }
    }

    async fn unwrap(&self, subject: &Subject, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        self.inner.master.unwrap(subject, wrapped).await
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("store", &self.inner.store)
            .field("master", &self.inner.master.current())
            .field("forget_within", &self.inner.forget_within)
            .finish_non_exhaustive()
    }
}
