//! Keys in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Entry, Forget, Forgotten, KeyStore, Unfinished};
use crate::{Error, Pseudonym, StoredPseudonym, Subject, ValueHash, WrappedKey};

/// Keys in memory, for tests: with the process go the keys, and with them all that was sealed. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemoryKeyStore(Arc<Mutex<BTreeMap<Subject, Kept>>>);

#[derive(Debug)]
struct Kept {
    entry: Entry,
    followers: BTreeSet<String>,
    /// By the hashes of what they stand for, which differ with the purpose.
    pseudonyms: HashMap<ValueHash, StoredPseudonym>,
}

impl MemoryKeyStore {
    /// A store without keys.
    pub fn new() -> Self {
        MemoryKeyStore::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Subject, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is behind `after`.
fn behind<'a>(
    kept: &'a BTreeMap<Subject, Kept>,
    after: Option<&Subject>,
) -> impl Iterator<Item = (&'a Subject, &'a Kept)> {
    kept.range::<Subject, _>((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
}

#[async_trait]
impl KeyStore for MemoryKeyStore {
    async fn get(&self, subject: &Subject) -> Result<Option<Entry>, Error> {
        Ok(self.lock().get(subject).map(|kept| kept.entry.clone()))
    }

    async fn create(&self, subject: &Subject, key: WrappedKey) -> Result<Entry, Error> {
        let mut kept = self.lock();
        let new = || Kept { entry: Entry::Key(key), followers: BTreeSet::new(), pseudonyms: HashMap::new() };
        Ok(kept.entry(subject.clone()).or_insert_with(new).entry.clone())
    }

    async fn forget(&self, forgetting: &Forget<'_>) -> Result<Forgotten, Error> {
        let Forget { subject, tombstone, followers } = forgetting;
        let mut kept = self.lock();
        let before = kept.remove(*subject);
        let (tombstone, is_new, had_key) = match &before {
            Some(Kept { entry: Entry::Forgotten(before), .. }) => (before.clone(), false, false),
            before => (tombstone.clone(), true, before.is_some()),
        };
        let pseudonyms = before.as_ref().map_or(0, |kept| kept.pseudonyms.len() as u64);
        let mut to_call = before.map(|kept| kept.followers).unwrap_or_default();
        to_call.extend(followers.iter().map(|&name| name.to_owned()));
        let entry = Entry::Forgotten(tombstone.clone());
        kept.insert((*subject).clone(), Kept { entry, followers: to_call, pseudonyms: HashMap::new() });
        Ok(Forgotten { tombstone, is_new, had_key, pseudonyms })
    }

    async fn followed(&self, subject: &Subject, name: &str) -> Result<(), Error> {
        if let Some(kept) = self.lock().get_mut(subject) {
            kept.followers.remove(name);
        }
        Ok(())
    }

    async fn unfinished(&self, after: Option<&Subject>, limit: usize) -> Result<Vec<Unfinished>, Error> {
        let kept = self.lock();
        let unfinished = behind(&kept, after).filter_map(|(subject, kept)| match &kept.entry {
            Entry::Forgotten(tombstone) if !kept.followers.is_empty() => Some(Unfinished {
                subject: subject.clone(),
                tombstone: tombstone.clone(),
                followers: kept.followers.iter().cloned().collect(),
            }),
            _ => None,
        });
        Ok(unfinished.take(limit).collect())
    }

    async fn wrapped_otherwise(
        &self,
        current: &str,
        after: Option<&Subject>,
        limit: usize,
    ) -> Result<Vec<(Subject, WrappedKey)>, Error> {
        let kept = self.lock();
        let wrapped = behind(&kept, after).filter_map(|(subject, kept)| match &kept.entry {
            Entry::Key(key) if key.master != current => Some((subject.clone(), key.clone())),
            _ => None,
        });
        Ok(wrapped.take(limit).collect())
    }

    async fn rewrap(&self, subject: &Subject, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error> {
        match self.lock().get_mut(subject) {
            Some(Kept { entry: Entry::Key(key), .. }) if key == old => {
                *key = new;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn pseudonym(&self, new: &StoredPseudonym) -> Result<Option<Pseudonym>, Error> {
        Ok(match self.lock().get_mut(&new.subject) {
            Some(Kept { entry: Entry::Key(_), pseudonyms, .. }) => {
                let stored = pseudonyms.entry(new.hash).or_insert_with(|| new.clone());
                Some(stored.pseudonym.clone())
            }
            _ => None,
        })
    }

    async fn find_pseudonym(&self, pseudonym: &Pseudonym) -> Result<Option<StoredPseudonym>, Error> {
        let kept = self.lock();
        let mut all = kept.values().flat_map(|kept| kept.pseudonyms.values());
        Ok(all.find(|stored| stored.pseudonym == *pseudonym).cloned())
    }

    async fn delete_pseudonyms(
        &self,
        subject: &Subject,
        purpose: &str,
        hash: Option<&ValueHash>,
    ) -> Result<u64, Error> {
        let mut kept = self.lock();
        let Some(kept) = kept.get_mut(subject) else { return Ok(0) };
        let before = kept.pseudonyms.len();
        kept.pseudonyms.retain(|found, stored| {
            stored.pseudonym.purpose() != purpose || hash.is_some_and(|hash| hash != found)
        });
        Ok((before - kept.pseudonyms.len()) as u64)
    }
}
