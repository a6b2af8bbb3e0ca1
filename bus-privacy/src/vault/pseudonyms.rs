//! Pseudonyms: which one stands for a value, which value one stands for, and how that is forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jitney_core::Env;
use jitney_core::event::pseudonym_subject;
use tokio::time::Instant;

use super::Vault;
use crate::cipher::{self, Binding};
use crate::key::{DataKey, KeyId};
use crate::pseudonym::{Pseudonym, StoredPseudonym, ValueHash};
use crate::{Entry, Error, ErrorKind, Subject};

/// The pseudonyms of one purpose; made by [`Vault::pseudonyms`].
#[derive(Debug, Clone)]
pub struct Pseudonyms {
    vault: Vault,
    purpose: String,
}

impl Vault {
    /// The pseudonyms for `purpose`, as `#[event(pseudonym = "analytics")]` names it; without a name there it is `default`.
    pub fn pseudonyms(&self, purpose: impl Into<String>) -> Pseudonyms {
        Pseudonyms { vault: self.clone(), purpose: purpose.into() }
    }

    /// What stands for `value`, for `purpose`, as a value of `subject`. Where the subject is forgotten it is a new one each time, which
    /// leads nowhere.
    pub(super) async fn pseudonym(
        &self,
        subject: &str,
        purpose: &str,
        value: &str,
    ) -> Result<Pseudonym, Error> {
        if let Ok(same) = value.parse::<Pseudonym>()
            && same.purpose() == purpose
        {
            return Ok(same);
        }
        let (id, key) = match self.key_to_seal(subject).await {
            Ok(key) => key,
            Err(error) if error.kind() == ErrorKind::Forgotten => return Pseudonym::random(purpose),
            Err(error) => return Err(error),
        };
        let hash = ValueHash::of(&key, purpose, value);
        if let Some(known) = self.inner.pseudonyms.get(&hash) {
            return Ok(known);
        }
        let (since, pseudonym) = (self.inner.env.instant(), Pseudonym::random(purpose)?);
        let subject = Subject::new(subject)?;
        let mut sealed = Vec::new();
        let binding = Binding::of_pseudonym(pseudonym.as_str(), subject.as_str(), id);
        cipher::seal(&key, &binding, value.as_bytes(), &mut sealed)?;
        let new = StoredPseudonym { pseudonym, subject, hash, sealed };
        match self.inner.store.pseudonym(&new).await? {
            Some(pseudonym) => {
                self.inner.pseudonyms.set(hash, pseudonym.clone(), since);
                Ok(pseudonym)
            }
            // Forgotten since the key was fetched.
            None => Ok(new.pseudonym),
        }
    }

    /// The key that is stored for `subject` now, whatever is at hand.
    async fn stored_key(&self, subject: &Subject) -> Result<Option<(KeyId, DataKey)>, Error> {
        match self.inner.store.get(subject).await? {
            Some(Entry::Key(wrapped)) => Ok(Some((wrapped.id, self.unwrap(subject, &wrapped).await?))),
            _ => Ok(None),
        }
    }
}

impl Pseudonyms {
    /// What `pseudonym` stands for; none where it was deleted, its subject is forgotten, or it was never one of these.
    ///
    /// # Errors
    ///
    /// Of kind [`Malformed`](ErrorKind::Malformed) for what is no pseudonym of this purpose; of kind
    /// [`Tampered`](ErrorKind::Tampered) where the table was changed; and when the key store or the key management does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn value_of(&self, pseudonym: &str) -> Result<Option<String>, Error> {
        let doing = |error: Error| error.while_doing("looking for what a pseudonym stands for");
        let pseudonym: Pseudonym = pseudonym.parse().map_err(doing)?;
        if pseudonym.purpose() != self.purpose {
            let what = format!(
                "looking for what a pseudonym stands for: it is for `{}`, and not for `{}`; ask there",
                pseudonym.purpose(),
                self.purpose
            );
            return Err(Error::new(ErrorKind::Malformed, what));
        }
        let Some(stored) = self.vault.inner.store.find_pseudonym(&pseudonym).await.map_err(doing)? else {
            return Ok(None);
        };
        let StoredPseudonym { subject, mut sealed, .. } = stored;
        let Some((id, key)) = self.vault.stored_key(&subject).await.map_err(doing)? else { return Ok(None) };
        let binding = Binding::of_pseudonym(pseudonym.as_str(), subject.as_str(), id);
        let value =
            cipher::open(&key, &binding, &mut sealed).ok().and_then(|value| std::str::from_utf8(value).ok());
        let changed = || {
            let what = format!(
                "looking for what `{pseudonym}` stands for: its row was changed; restore it from a backup of the key store"
            );
            Error::new(ErrorKind::Tampered, what)
        };
        value.map(|value| Some(value.to_owned())).ok_or_else(changed)
    }

    /// Deletes those of `subject`, and answers how many there were: what was written with them leads to nobody any more. A new value
    /// gets a new one. Other processes go on writing the old ones for up to three quarters of
    /// [`forget_within`](super::VaultBuilder::forget_within).
    ///
    /// [`Vault::forget`] deletes those of all purposes.
    ///
    /// # Errors
    ///
    /// When the key store does not answer: some may be deleted then. The same call is to be made again.
    ///
    /// # Cancellation
    ///
    /// They may be deleted when the future is dropped.
    pub async fn delete(&self, subject: &Subject) -> Result<u64, Error> {
        let deleted = self.vault.inner.store.delete_pseudonyms(subject, &self.purpose, None).await;
        self.vault.inner.pseudonyms.clear();
        deleted.map_err(|error| error.while_doing(format_args!("deleting pseudonyms of `{subject}`")))
    }

    /// Deletes the one that stands for `value` where no subject is named, as by `#[event(pseudonym)]` alone. Answers whether there was
    /// one. As [`delete`](Self::delete) otherwise.
    ///
    /// # Errors
    ///
    /// When the key store or the key management does not answer: it may be deleted then.
    ///
    /// # Cancellation
    ///
    /// It may be deleted when the future is dropped.
    pub async fn delete_value(&self, value: &str) -> Result<bool, Error> {
        let doing =
            |error: Error| error.while_doing(format_args!("deleting a pseudonym for `{}`", self.purpose));
        let subject = Subject::new(&pseudonym_subject(&self.purpose)).map_err(doing)?;
        let Some((_, key)) = self.vault.stored_key(&subject).await.map_err(doing)? else { return Ok(false) };
        let hash = ValueHash::of(&key, &self.purpose, value);
        let deleted = self.vault.inner.store.delete_pseudonyms(&subject, &self.purpose, Some(&hash)).await;
        self.vault.inner.pseudonyms.clear();
        Ok(deleted.map_err(doing)? > 0)
    }
}

/// The pseudonyms that are at hand: a bounded number of them, each for a bounded time.
#[derive(Debug)]
pub(super) struct PseudonymCache {
    env: Env,
    most: usize,
    max_age: Duration,
    known: Mutex<HashMap<ValueHash, (Pseudonym, Instant)>>,
}

impl PseudonymCache {
    pub(super) fn new(env: Env, most: usize, max_age: Duration) -> Self {
        PseudonymCache { env, most: most.max(1), max_age, known: Mutex::default() }
    }

    fn get(&self, hash: &ValueHash) -> Option<Pseudonym> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (pseudonym, since) = known.get(hash)?;
        (self.env.instant().duration_since(*since) < self.max_age).then(|| pseudonym.clone())
    }

    /// When there is no room, all make room: those in use come back.
    fn set(&self, hash: ValueHash, pseudonym: Pseudonym, since: Instant) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most && !known.contains_key(&hash) {
            known.clear();
        }
        known.insert(hash, (pseudonym, since));
    }

    fn clear(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
