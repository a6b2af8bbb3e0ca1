//! What the key stores of both databases share.

use std::fmt;

use jiff::Timestamp;
use jitney_privacy::{
    Entry, Error, ErrorKind, Pseudonym, StoredPseudonym, Subject, Tombstone, ValueHash, WrappedKey,
};
use jitney_sourcing::Error as StoreError;

/// The error of a key store while `doing`. Whatever the database refuses (a password, a grant, a file), it is no fault of the event
/// whose key was asked for: it is worth another try.
pub(crate) fn key_error(doing: impl fmt::Display, error: StoreError) -> Error {
    Error::new(ErrorKind::Store, format!("{doing} in the key store")).with_source(error)
}

/// A row of the keys: key id, master key, wrapped key; when and by whom it was forgotten.
pub(crate) type KeyRow = (Option<String>, Option<String>, Option<Vec<u8>>, Option<i64>, Option<String>);

/// What `row` says of `subject`.
pub(crate) fn entry(subject: &Subject, row: KeyRow) -> Result<Entry, Error> {
    match row {
        (Some(id), Some(master), Some(bytes), None, None) => {
            Ok(Entry::Key(wrapped(subject, &id, master, bytes)?))
        }
        (None, None, None, Some(at), Some(by)) => Ok(Entry::Forgotten(tombstone(subject, at, by)?)),
        _ => Err(damaged(subject)),
    }
}

/// The wrapped key of `subject`.
pub(crate) fn wrapped(
    subject: &Subject,
    id: &str,
    master: String,
    bytes: Vec<u8>,
) -> Result<WrappedKey, Error> {
    let id = id.parse().map_err(|error: Error| damaged(subject).with_source(error))?;
    Ok(WrappedKey { id, master, bytes })
}

/// The tombstone of `subject`.
pub(crate) fn tombstone(subject: &Subject, at_ms: i64, by: String) -> Result<Tombstone, Error> {
    let at = Timestamp::from_millisecond(at_ms).map_err(|error| damaged(subject).with_source(error))?;
    Ok(Tombstone { at, by })
}

/// A subject by its text in a row.
pub(crate) fn subject(text: &str) -> Result<Subject, Error> {
    Subject::new(text).map_err(|error| {
        let what =
            "reading the subjects in the key store: another program has written there; look at the table";
        Error::new(ErrorKind::Store, what).with_source(error).retryable(false)
    })
}

/// A row of the pseudonyms: subject, hash, and what is sealed.
pub(crate) type PseudonymRow = (String, Vec<u8>, Vec<u8>);

/// What `row` says of `pseudonym`.
pub(crate) fn stored_pseudonym(pseudonym: &Pseudonym, row: PseudonymRow) -> Result<StoredPseudonym, Error> {
    let (of, hash, sealed) = row;
    let subject = subject(&of)?;
    let hash = hash.try_into().map(ValueHash::new).map_err(|_| damaged(&subject))?;
    Ok(StoredPseudonym { pseudonym: pseudonym.clone(), subject, hash, sealed })
}

/// A pseudonym by its text in a row.
pub(crate) fn pseudonym(text: &str) -> Result<Pseudonym, Error> {
    text.parse().map_err(|error: Error| {
        let what =
            "reading the pseudonyms in the key store: another program has written there; look at the table";
        Error::new(ErrorKind::Store, what).with_source(error).retryable(false)
    })
}

/// The names in a list that is JSON.
#[cfg(feature = "sqlite")]
pub(crate) fn names(subject: &Subject, list: &str) -> Result<Vec<String>, Error> {
    serde_json::from_str(list).map_err(|error| damaged(subject).with_source(error))
}

fn damaged(subject: &Subject) -> Error {
    let what = format!(
        "reading the key of `{subject}` in the key store: the row is not as it is written here; restore it from a backup"
    );
    Error::new(ErrorKind::Store, what).retryable(false)
}
