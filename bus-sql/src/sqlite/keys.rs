//! The keys of data subjects in SQLite.

use async_trait::async_trait;
use jitney_privacy::{
    Entry, Error, Forget, Forgotten, KeyStore, Pseudonym, StoredPseudonym, Subject, Unfinished, ValueHash,
    WrappedKey,
};
use jitney_sourcing::Error as StoreError;

use super::SqliteStore;
use super::error::commit_failed;
use super::overwrite::{OVERWRITE, empty_log};
use super::pseudonyms;
use crate::keys::{
    KeyRow, entry, key_error, names, pseudonym as read_pseudonym, stored_pseudonym, subject as read_subject,
    tombstone as read_tombstone, wrapped,
};

const GET: &str = "SELECT key_id, master, wrapped, forgotten_at_ms, forgotten_by FROM jitney_subject_keys WHERE subject = ?1";

const CREATE: &str = "INSERT INTO jitney_subject_keys (subject, key_id, master, wrapped) VALUES (?1, ?2, ?3, ?4) \
                      ON CONFLICT DO NOTHING";

const FORGET_UNKNOWN: &str = "INSERT INTO jitney_subject_keys (subject, forgotten_at_ms, forgotten_by) \
                              VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

const FORGET_KNOWN: &str = "UPDATE jitney_subject_keys SET key_id = NULL, master = NULL, wrapped = NULL, \
                            forgotten_at_ms = ?2, forgotten_by = ?3 WHERE subject = ?1 AND forgotten_at_ms IS NULL";

const FOLLOWER: &str =
    "INSERT INTO jitney_subject_followers (subject, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

const TOMBSTONE: &str = "SELECT forgotten_at_ms, forgotten_by FROM jitney_subject_keys WHERE subject = ?1";

const FOLLOWED: &str = "DELETE FROM jitney_subject_followers WHERE subject = ?1 AND name = ?2";

const UNFINISHED: &str = "SELECT subject, forgotten_at_ms, forgotten_by, \
                          (SELECT json_group_array(name) FROM jitney_subject_followers f WHERE f.subject = keys.subject) \
                          FROM jitney_subject_keys keys \
                          WHERE subject IN (SELECT subject FROM jitney_subject_followers) AND subject > ?1 \
                          ORDER BY subject LIMIT ?2";

const WRAPPED_OTHERWISE: &str = "SELECT subject, key_id, master, wrapped FROM jitney_subject_keys \
                                 WHERE wrapped IS NOT NULL AND master <> ?1 AND subject > ?2 ORDER BY subject LIMIT ?3";

const REWRAP: &str = "UPDATE jitney_subject_keys SET master = ?5, wrapped = ?6 \
                      WHERE subject = ?1 AND key_id = ?2 AND master = ?3 AND wrapped = ?4";

/// The keys that personal data is sealed with, in SQLite, each wrapped by a master key.
///
/// ```no_run
/// use jitney_privacy::{MasterKeys, Vault};
/// use jitney_sql::{SqliteKeyStore, SqliteStore};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = SqliteKeyStore::of(&SqliteStore::open("keys.db").await?);
/// let vault = Vault::builder(keys, MasterKeys::from_file("/etc/orders/master-keys")?).by("orders").open().await?;
/// # Ok(()) }
/// ```
///
/// A key that is deleted is overwritten in the file, and the log is emptied behind it, unless a reader holds it up for longer than
/// the busy time-out: it is then overwritten when the log comes round. Backups have it for as long as they are kept: wrapped, so that
/// it is worth nothing without the master key of that time. Rotate the master keys and destroy the old ones.
#[derive(Debug, Clone)]
pub struct SqliteKeyStore {
    pub(super) store: SqliteStore,
}

impl SqliteKeyStore {
    /// The keys in the database of `store`. A backup of the events in it has the keys too: keep keys in a file of their own where
    /// backups of events are kept for longer than a forgotten person may be in them.
    pub fn of(store: &SqliteStore) -> Self {
        SqliteKeyStore { store: store.clone() }
    }

    async fn read(&self, subject: &Subject) -> Result<Option<KeyRow>, StoreError> {
        let mut connection = self.store.reader().await?;
        let row = sqlx::query_as(GET).bind(subject.as_str()).fetch_optional(&mut *connection).await;
        row.map_err(|error| self.store.failed("reading a key", error))
    }

    async fn insert(&self, subject: &Subject, key: WrappedKey) -> Result<(), StoreError> {
        let query = sqlx::query(CREATE).bind(subject.as_str());
        let query = query.bind(key.id.to_string()).bind(key.master).bind(key.bytes);
        let inserted = query.execute(self.store.writer()).await;
        inserted.map(drop).map_err(|error| commit_failed(self.store.place(), "storing a key", error))
    }

    /// Whether it is forgotten now, whether there was a key, how many pseudonyms, and the tombstone.
    async fn bury(&self, forgetting: &Forget<'_>) -> Result<(bool, bool, u64, i64, String), StoreError> {
        const DOING: &str = "forgetting a subject";
        let failed = |error| self.store.failed(DOING, error);
        let Forget { subject, tombstone, followers } = forgetting;
        let (subject, at) = (subject.as_str(), tombstone.at.as_millisecond());
        let mut transaction = self.store.begin().await?;
        sqlx::query(OVERWRITE).execute(&mut *transaction).await.map_err(failed)?;
        let mut changed = [false; 2];
        for (sql, changed) in [FORGET_UNKNOWN, FORGET_KNOWN].into_iter().zip(&mut changed) {
            let query = sqlx::query(sql).bind(subject).bind(at).bind(&tombstone.by);
            *changed = query.execute(&mut *transaction).await.map_err(failed)?.rows_affected() > 0;
        }
        let deleted = pseudonyms::forget(&mut transaction, subject).await.map_err(failed)?;
        for name in *followers {
            let query = sqlx::query(FOLLOWER).bind(subject).bind(*name);
            query.execute(&mut *transaction).await.map_err(failed)?;
        }
        let query = sqlx::query_as(TOMBSTONE).bind(subject);
        let (at, by) = query.fetch_one(&mut *transaction).await.map_err(failed)?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(self.store.place(), DOING, error))?;
        let [was_unknown, had_key] = changed;
        if (had_key || deleted > 0)
            && let Err(error) = empty_log(&self.store, DOING).await
        {
            tracing::warn!(%error, "a deleted key is in the log until that comes round");
        }
        Ok((was_unknown || had_key, had_key, deleted, at, by))
    }

    async fn delete_follower(&self, subject: &Subject, name: &str) -> Result<(), StoreError> {
        let query = sqlx::query(FOLLOWED).bind(subject.as_str()).bind(name);
        let deleted = query.execute(self.store.writer()).await;
        deleted.map(drop).map_err(|error| commit_failed(self.store.place(), "recording a follower", error))
    }

    async fn read_unfinished(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, i64, String, String)>, StoreError> {
        let mut connection = self.store.reader().await?;
        let rows = sqlx::query_as(UNFINISHED).bind(after).bind(limit).fetch_all(&mut *connection).await;
        rows.map_err(|error| self.store.failed("reading what is unfinished", error))
    }

    async fn read_wrapped(
        &self,
        current: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, String, String, Vec<u8>)>, StoreError> {
        let mut connection = self.store.reader().await?;
        let query = sqlx::query_as(WRAPPED_OTHERWISE).bind(current).bind(after).bind(limit);
        let rows = query.fetch_all(&mut *connection).await;
        rows.map_err(|error| self.store.failed("reading keys", error))
    }

    async fn replace(
        &self,
        subject: &Subject,
        old: &WrappedKey,
        new: WrappedKey,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query(REWRAP).bind(subject.as_str());
        let query = query.bind(old.id.to_string()).bind(&old.master).bind(&old.bytes);
        let replaced = query.bind(new.master).bind(new.bytes).execute(self.store.writer()).await;
        let failed = |error| commit_failed(self.store.place(), "replacing a key", error);
        Ok(replaced.map_err(failed)?.rows_affected() > 0)
    }
}

#[async_trait]
impl KeyStore for SqliteKeyStore {
    async fn get(&self, subject: &Subject) -> Result<Option<Entry>, Error> {
        let row = self.read(subject).await;
        let row =
            row.map_err(|error| key_error(format_args!("looking for the key of `{subject}`"), error))?;
        row.map(|row| entry(subject, row)).transpose()
    }

    async fn create(&self, subject: &Subject, key: WrappedKey) -> Result<Entry, Error> {
        let doing = || format!("storing a key of `{subject}`");
        self.insert(subject, key).await.map_err(|error| key_error(doing(), error))?;
        let row = self.read(subject).await.map_err(|error| key_error(doing(), error))?;
        entry(subject, row.unwrap_or_default())
    }

    async fn forget(&self, forgetting: &Forget<'_>) -> Result<Forgotten, Error> {
        let subject = forgetting.subject;
        let buried = self.bury(forgetting).await;
        let buried =
            buried.map_err(|error| key_error(format_args!("deleting the key of `{subject}`"), error));
        let (is_new, had_key, pseudonyms, at, by) = buried?;
        Ok(Forgotten { tombstone: read_tombstone(subject, at, by)?, is_new, had_key, pseudonyms })
    }

    async fn followed(&self, subject: &Subject, name: &str) -> Result<(), Error> {
        let deleted = self.delete_follower(subject, name).await;
        deleted.map_err(|error| key_error(format_args!("recording that `{name}` is done"), error))
    }

    async fn unfinished(&self, after: Option<&Subject>, limit: usize) -> Result<Vec<Unfinished>, Error> {
        let (after, limit) = (after.map_or("", Subject::as_str), i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.read_unfinished(after, limit).await;
        let rows = rows.map_err(|error| key_error("looking for what is unfinished", error))?;
        let unfinished = rows.into_iter().map(|(subject, at, by, followers)| {
            let subject = read_subject(&subject)?;
            let followers = names(&subject, &followers)?;
            Ok(Unfinished { tombstone: read_tombstone(&subject, at, by)?, subject, followers })
        });
        unfinished.collect()
    }

    async fn wrapped_otherwise(
        &self,
        current: &str,
        after: Option<&Subject>,
        limit: usize,
    ) -> Result<Vec<(Subject, WrappedKey)>, Error> {
        let (after, limit) = (after.map_or("", Subject::as_str), i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.read_wrapped(current, after, limit).await;
        let rows = rows.map_err(|error| key_error("looking for keys of older master keys", error))?;
        let keys = rows.into_iter().map(|(subject, id, master, bytes)| {
            let subject = read_subject(&subject)?;
            let key = wrapped(&subject, &id, master, bytes)?;
            Ok((subject, key))
        });
        keys.collect()
    }

    async fn rewrap(&self, subject: &Subject, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error> {
        let replaced = self.replace(subject, old, new).await;
        replaced.map_err(|error| key_error(format_args!("replacing the key of `{subject}`"), error))
    }

    async fn pseudonym(&self, new: &StoredPseudonym) -> Result<Option<Pseudonym>, Error> {
        let text = self.insert_pseudonym(new).await;
        let doing = || format!("storing a pseudonym of `{}`", new.subject);
        let text = text.map_err(|error| key_error(doing(), error))?;
        text.as_deref().map(read_pseudonym).transpose()
    }

    async fn find_pseudonym(&self, pseudonym: &Pseudonym) -> Result<Option<StoredPseudonym>, Error> {
        let row = self.read_pseudonym(pseudonym).await;
        let row = row.map_err(|error| key_error(format_args!("looking for `{pseudonym}`"), error))?;
        row.map(|row| stored_pseudonym(pseudonym, row)).transpose()
    }

    async fn delete_pseudonyms(
        &self,
        subject: &Subject,
        purpose: &str,
        hash: Option<&ValueHash>,
    ) -> Result<u64, Error> {
        let deleted = self.remove_pseudonyms(subject, purpose, hash).await;
        deleted.map_err(|error| key_error(format_args!("deleting pseudonyms of `{subject}`"), error))
    }
}
