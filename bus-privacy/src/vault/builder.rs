//! How a vault is set up.

use std::sync::Arc;
use std::time::Duration;

use jitney_core::personal::set_in_use;
use jitney_core::{Env, error_chain};

use super::cache::Cache;
use super::forget::finish_in_background;
use super::pseudonyms::PseudonymCache;
use super::{Inner, Vault};
use crate::{Error, ErrorKind, Forgetting, KeyManagement, KeyStore};

/// Settings of a [`Vault`]; made by [`Vault::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is opened"]
pub struct VaultBuilder {
    store: Arc<dyn KeyStore>,
    master: Arc<dyn KeyManagement>,
    forget_within: Duration,
    keys_at_hand: usize,
    by: String,
    followers: Vec<Arc<dyn Forgetting>>,
    env: Env,
}

impl Vault {
    /// A vault with its keys in `store`, wrapped by `master`.
    pub fn builder(store: impl KeyStore, master: impl KeyManagement) -> VaultBuilder {
        VaultBuilder {
            store: Arc::new(store),
            master: Arc::new(master),
            forget_within: Duration::from_secs(60),
            keys_at_hand: 10_000,
            by: "this service".to_owned(),
            followers: Vec::new(),
            env: Env::system(),
        }
    }
}

impl VaultBuilder {
    /// The time within which every process has let go of the key of a subject that is forgotten; 60 seconds unless told. It is to
    /// be the same in all processes that share a key store.
    ///
    /// Keys are at hand for three quarters of it, and then asked for again; the last quarter is for what is being handled by then.
    /// [`Vault::forget`] waits for it before followers are called. Zero asks the store for every value.
    pub fn forget_within(mut self, time: Duration) -> Self {
        self.forget_within = time;
        self
    }

    /// Of how many subjects the keys are at hand, and how many pseudonyms, from 1; 10,000 unless told, which is about 4 MB, and 2 MB.
    pub fn keys_at_hand(mut self, subjects: usize) -> Self {
        self.keys_at_hand = subjects;
        self
    }

    /// In whose name subjects are forgotten: the name of the service.
    pub fn by(mut self, name: impl Into<String>) -> Self {
        self.by = name.into();
        self
    }

    /// What follows when a subject is forgotten: snapshots that are deleted, read models that are built anew. Several are called one
    /// after the other, in the order of these calls. Their names are to differ.
    pub fn also(mut self, follower: impl Forgetting) -> Self {
        self.followers.push(Arc::new(follower));
        self
    }

    /// The clock that keys age by. Randomness always is the system's.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The vault. Where a subject was forgotten and the process ended before all followers were done, they are called now, in
    /// the background, again and again until they are done; [`Vault::resume_forgetting`] says how that went.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) where two followers have the same name, or one has none; of kind
    /// [`WrongMasterKey`](ErrorKind::WrongMasterKey) where a key in the store was wrapped by another master key of the same id; and
    /// when the key store or the key management does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(self) -> Result<Vault, Error> {
        let VaultBuilder { store, master, forget_within, keys_at_hand, by, followers, env } = self;
        for (index, follower) in followers.iter().enumerate() {
            let name = follower.name();
            if name.is_empty() || followers[..index].iter().any(|other| other.name() == name) {
                let what = format!(
                    "opening a vault: followers of forgetting are told apart by their names, and `{name}` is empty or there \
                     twice; name each of them"
                );
                return Err(Error::new(ErrorKind::Config, what));
            }
        }
        let max_age = forget_within / 4 * 3;
        let cache = Cache::new(env.clone(), keys_at_hand, max_age);
        let pseudonyms = PseudonymCache::new(env.clone(), keys_at_hand, max_age);
        let inner = Inner { store, master, cache, pseudonyms, forget_within, by, followers, env };
        let vault = Vault { inner: Arc::new(inner) };
        vault.check_master_key().await?;
        set_in_use();
        if vault.has_to_finish().await.map_err(|error| error.while_doing("opening a vault"))? {
            finish_in_background(&vault);
        }
        Ok(vault)
    }
}

impl Vault {
    /// Unwraps one key, so that the master key of another environment is noticed before it has wrapped any.
    async fn check_master_key(&self) -> Result<(), Error> {
        let Inner { store, .. } = &*self.inner;
        let doing = "opening a vault";
        let some = store.wrapped_otherwise("", None, 1).await.map_err(|error| error.while_doing(doing))?;
        let Some((subject, wrapped)) = some.first() else { return Ok(()) };
        match self.unwrap(subject, wrapped).await {
            Err(error) if error.kind() == ErrorKind::UnknownMasterKey => {
                let error = error_chain(&error);
                tracing::warn!(error, "a master key of the key store is not among those given");
                Ok(())
            }
            unwrapped => unwrapped.map(drop).map_err(|error| error.while_doing(doing)),
        }
    }
}
