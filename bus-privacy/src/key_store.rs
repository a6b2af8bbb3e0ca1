//! Where the keys of subjects are kept, and who is forgotten.

mod memory;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

pub use memory::MemoryKeyStore;

use crate::{Error, Pseudonym, StoredPseudonym, Subject, ValueHash, WrappedKey};

/// Keeps one wrapped key for each subject, or its tombstone: what is left of a subject that is forgotten.
///
/// All its methods are atomic, for all processes that use the same store. An error of kind
/// [`Store`](crate::ErrorKind::Store) means that the store did not answer or refused, and nothing else: that there is no key is
/// an answer.
#[async_trait]
pub trait KeyStore: fmt::Debug + Send + Sync + 'static {
    /// What there is of `subject`.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn get(&self, subject: &Subject) -> Result<Option<Entry>, Error>;

    /// Stores `key` for `subject` where there is neither a key nor a tombstone. Answers what there is now.
    ///
    /// # Errors
    ///
    /// When the store does not answer: the key may be there then.
    ///
    /// # Cancellation
    ///
    /// The key may be there when the future is dropped.
    async fn create(&self, subject: &Subject, key: WrappedKey) -> Result<Entry, Error>;

    /// Deletes the key of `forgetting`'s subject and its pseudonyms, and leaves a tombstone, in one step; its followers are to be called. For a
    /// subject that is forgotten already, its tombstone stays, and the followers are added to those that are to be called.
    ///
    /// # Errors
    ///
    /// When the store does not answer: the subject may be forgotten then. The same call is to be made again.
    ///
    /// # Cancellation
    ///
    /// The subject may be forgotten when the future is dropped.
    async fn forget(&self, forgetting: &Forget<'_>) -> Result<Forgotten, Error>;

    /// The follower `name` has done its work for `subject`: it is not to be called any more. Nothing happens where it was not.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// The follower may be called once more when the future is dropped.
    async fn followed(&self, subject: &Subject, name: &str) -> Result<(), Error>;

    /// The forgotten subjects for which followers are still to be called, by subject, at most `limit` of those behind `after`.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn unfinished(&self, after: Option<&Subject>, limit: usize) -> Result<Vec<Unfinished>, Error>;

    /// Keys that were wrapped by another master key than `current`, by subject, at most `limit` of those behind `after`.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn wrapped_otherwise(
        &self,
        current: &str,
        after: Option<&Subject>,
        limit: usize,
    ) -> Result<Vec<(Subject, WrappedKey)>, Error>;

    /// Puts `new` in the place of `old`, where `subject` has that still. Answers whether it had.
    ///
    /// # Errors
    ///
    /// When the store does not answer: one of the two is there then.
    ///
    /// # Cancellation
    ///
    /// One of the two is there when the future is dropped.
    async fn rewrap(&self, subject: &Subject, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error>;

    /// Stores `new` where its subject has a key, and there is none for the same hash and purpose. Answers the one that there is now;
    /// none where the subject has no key.
    ///
    /// # Errors
    ///
    /// When the store does not answer: it may be there then.
    ///
    /// # Cancellation
    ///
    /// It may be there when the future is dropped.
    async fn pseudonym(&self, new: &StoredPseudonym) -> Result<Option<Pseudonym>, Error>;

    /// What is stored of `pseudonym`.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn find_pseudonym(&self, pseudonym: &Pseudonym) -> Result<Option<StoredPseudonym>, Error>;

    /// Deletes the pseudonyms of `subject` for `purpose`, or the one of `hash` among them. Answers how many there were.
    ///
    /// # Errors
    ///
    /// When the store does not answer: they may be deleted then.
    ///
    /// # Cancellation
    ///
    /// They may be deleted when the future is dropped.
    async fn delete_pseudonyms(
        &self,
        subject: &Subject,
        purpose: &str,
        hash: Option<&ValueHash>,
    ) -> Result<u64, Error>;
}

/// What there is of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Its key.
    Key(WrappedKey),
    /// It is forgotten.
    Forgotten(Tombstone),
}

/// What is left of a subject that is forgotten. It stays for ever: no key is made for the subject again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// When it was forgotten, first.
    pub at: Timestamp,
    /// Who has asked for that.
    pub by: String,
}

/// What is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forget<'a> {
    /// Whom.
    pub subject: &'a Subject,
    /// When, and by whom.
    pub tombstone: Tombstone,
    /// The names of the followers that are to be called.
    pub followers: &'a [&'a str],
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The tombstone: the one that was there, where it was forgotten before.
    pub tombstone: Tombstone,
    /// Whether it was forgotten now, and not before.
    pub is_new: bool,
    /// Whether there was a key.
    pub had_key: bool,
    /// How many pseudonyms were deleted.
    pub pseudonyms: u64,
}

/// A forgotten subject for which followers are still to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Whom.
    pub subject: Subject,
    /// When it was forgotten, and by whom.
    pub tombstone: Tombstone,
    /// The names of the followers.
    pub followers: Vec<String>,
}
