//! A vault, a place, and a key store that does as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use jitney_core::personal::{Item, Place, Sealer};
use jitney_core::{Env, Id};
use jitney_privacy::{
    Entry, Error, ErrorKind, Forget, Forgotten, KeyStore, MasterKey, MasterKeys, MemoryKeyStore, Pseudonym,
    StoredPseudonym, Subject, Unfinished, ValueHash, Vault, VaultBuilder, WrappedKey,
};
use serde_json::{Value, json};

/// Keys in memory, which can be away, and counts how often it is asked for one; with the clock of all its vaults.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) env: Env,
    memory: MemoryKeyStore,
    away: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Default for Keys {
    fn default() -> Self {
        let (memory, away, asked) = Default::default();
        Keys { env: Env::seeded(1), memory, away, asked }
    }
}

impl Keys {
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn there(&self) -> Result<&MemoryKeyStore, Error> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Store, "asking the key store: it is away")),
            false => Ok(&self.memory),
        }
    }
}

#[async_trait]
impl KeyStore for Keys {
    async fn get(&self, subject: &Subject) -> Result<Option<Entry>, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.there()?.get(subject).await
    }

    async fn create(&self, subject: &Subject, key: WrappedKey) -> Result<Entry, Error> {
        self.there()?.create(subject, key).await
    }

    async fn forget(&self, forgetting: &Forget<'_>) -> Result<Forgotten, Error> {
        self.there()?.forget(forgetting).await
    }

    async fn followed(&self, subject: &Subject, name: &str) -> Result<(), Error> {
        self.there()?.followed(subject, name).await
    }

    async fn unfinished(&self, after: Option<&Subject>, limit: usize) -> Result<Vec<Unfinished>, Error> {
        self.there()?.unfinished(after, limit).await
    }

    async fn wrapped_otherwise(
        &self,
        current: &str,
        after: Option<&Subject>,
        limit: usize,
    ) -> Result<Vec<(Subject, WrappedKey)>, Error> {
        self.there()?.wrapped_otherwise(current, after, limit).await
    }

    async fn rewrap(&self, subject: &Subject, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error> {
        self.there()?.rewrap(subject, old, new).await
    }

    async fn pseudonym(&self, new: &StoredPseudonym) -> Result<Option<Pseudonym>, Error> {
        self.there()?.pseudonym(new).await
    }

    async fn find_pseudonym(&self, pseudonym: &Pseudonym) -> Result<Option<StoredPseudonym>, Error> {
        self.there()?.find_pseudonym(pseudonym).await
    }

    async fn delete_pseudonyms(
        &self,
        subject: &Subject,
        purpose: &str,
        hash: Option<&ValueHash>,
    ) -> Result<u64, Error> {
        self.there()?.delete_pseudonyms(subject, purpose, hash).await
    }
}

/// The master key `id`, the same one each time.
pub(crate) fn master(id: u8) -> MasterKey {
    MasterKey::new(&format!("m{id}"), [id; 32]).unwrap()
}

pub(crate) fn builder(keys: &Keys) -> VaultBuilder {
    Vault::builder(keys.clone(), MasterKeys::new(master(1))).by("the tests").env(keys.env.clone())
}

pub(crate) async fn open_vault(keys: &Keys) -> Vault {
    builder(keys).open().await.unwrap()
}

pub(crate) fn subject(name: &str) -> Subject {
    Subject::of("customer", name).unwrap()
}

/// The event `id` of customer 1.
pub(crate) fn event(id: &Id) -> Place<'_> {
    Place { aggregate_type: "Customer", aggregate_id: "1", item: Item::Event(id) }
}

/// An open value of the customer `name`.
pub(crate) fn open_value(name: &str, value: &Value) -> Value {
    json!({ "$personal": { "subject": format!("customer/{name}"), "value": value } })
}

/// An erased value of the customer `name`.
pub(crate) fn erased_value(name: &str) -> Value {
    json!({ "$personal": { "subject": format!("customer/{name}"), "erased": true } })
}

fn bytes(payload: &Value) -> Bytes {
    payload.to_string().into()
}

pub(crate) async fn seal(
    vault: &Vault,
    place: Place<'_>,
    payload: &Value,
) -> Result<Value, jitney_core::Error> {
    let sealed = vault.seal(place, bytes(payload)).await?;
    Ok(serde_json::from_slice(&sealed).unwrap())
}

pub(crate) async fn open(
    vault: &Vault,
    place: Place<'_>,
    payload: &Value,
) -> Result<Value, jitney_core::Error> {
    let opened = vault.open(place, bytes(payload)).await?;
    Ok(serde_json::from_slice(&opened).unwrap())
}

/// The kind of `error`, and whether it is worth another try. Where it is about keys, and not about the payload, it is an error of the
/// set-up: nobody is to give up an event for it.
pub(crate) fn kind(error: &jitney_core::Error) -> (ErrorKind, bool) {
    use jitney_core::ErrorKind::{Config, Forgotten, Layer};
    let ours = Error::within(error).unwrap();
    let expected = match ours.kind() {
        ErrorKind::UnknownKey | ErrorKind::WrongMasterKey | ErrorKind::Unsupported => Config,
        ErrorKind::Forgotten => Forgotten,
        _ => Layer,
    };
    assert_eq!(error.kind(), expected);
    assert_eq!(ours.is_retryable(), error.is_retryable());
    (ours.kind(), error.is_retryable())
}
