//! The keys of data subjects in PostgreSQL.

use async_trait::async_trait;
use jitney_privacy::{
    Entry, Error, Forget, Forgotten, KeyStore, Pseudonym, StoredPseudonym, Subject, Unfinished, ValueHash,
    WrappedKey,
};
use jitney_sourcing::Error as StoreError;
use sqlx::{Connection, PgPool};

use super::config::beside;
use super::error::{Effect, failed};
use super::pseudonyms;
use super::store::PostgresStore;
use crate::keys::{
    KeyRow, entry, key_error, pseudonym as read_pseudonym, stored_pseudonym, subject as read_subject,
    tombstone as read_tombstone, wrapped,
};

/// Each statement sees what others have stored before it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

const GET: &str = "
SELECT key_id, master, wrapped, forgotten_at_ms, forgotten_by FROM {schema}.subject_keys WHERE subject = $1";

const CREATE: &str = "
INSERT INTO {schema}.subject_keys (subject, key_id, master, wrapped) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

const FORGET_UNKNOWN: &str = "
INSERT INTO {schema}.subject_keys (subject, forgotten_at_ms, forgotten_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

const FORGET_KNOWN: &str = "
UPDATE {schema}.subject_keys SET key_id = NULL, master = NULL, wrapped = NULL, forgotten_at_ms = $2, forgotten_by = $3
WHERE subject = $1 AND forgotten_at_ms IS NULL";

const FOLLOWERS: &str = "
INSERT INTO {schema}.subject_followers (subject, name) SELECT $1, name FROM unnest($2::text[]) AS names (name)
ON CONFLICT DO NOTHING";

const TOMBSTONE: &str = "SELECT forgotten_at_ms, forgotten_by FROM {schema}.subject_keys WHERE subject = $1";

const FOLLOWED: &str = "DELETE FROM {schema}.subject_followers WHERE subject = $1 AND name = $2";

const UNFINISHED: &str = "
SELECT keys.subject, forgotten_at_ms, forgotten_by, array_agg(name ORDER BY name)
FROM {schema}.subject_followers JOIN {schema}.subject_keys keys USING (subject)
WHERE keys.subject > $1 GROUP BY keys.subject ORDER BY keys.subject LIMIT $2";

const WRAPPED_OTHERWISE: &str = "
SELECT subject, key_id, master, wrapped FROM {schema}.subject_keys
WHERE wrapped IS NOT NULL AND master <> $1 AND subject > $2 ORDER BY subject LIMIT $3";

const REWRAP: &str = "
UPDATE {schema}.subject_keys SET master = $5, wrapped = $6
WHERE subject = $1 AND key_id = $2 AND master = $3 AND wrapped = $4";

/// The keys that personal data is sealed with, in PostgreSQL, each wrapped by a master key.
///
/// ```no_run
/// use jitney_privacy::{MasterKeys, Vault};
/// use jitney_sql::PostgresKeyStore;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = PostgresKeyStore::connect("postgres://localhost/orders").await?;
/// let vault = Vault::builder(keys, MasterKeys::from_env("MASTER_KEYS")?).by("orders").open().await?;
/// # Ok(()) }
/// ```
///
/// A key that was deleted is in the server's log, its replicas, its backups, and the table's dead rows for as long as those are
/// kept: wrapped, so that it is worth nothing without the master key of that time. Rotate the master keys and destroy the old ones.
#[derive(Debug, Clone)]
pub struct PostgresKeyStore {
    pub(super) store: PostgresStore,
}

impl PostgresKeyStore {
    /// The keys in schema `jitney` of the database at `url`; its tables are made where they are missing.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(PostgresKeyStore { store: PostgresStore::connect(url).await? })
    }

    /// The keys in schema `jitney` of the database of `pool`; its tables are made where they are missing.
    ///
    /// # Errors
    ///
    /// As [`PostgresStore::connect`].
    ///
    /// # Cancellation
    ///
    /// As [`PostgresStore::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        Ok(PostgresKeyStore { store: PostgresStore::from_pool(pool).await? })
    }

    /// The keys beside the events of `store`, on up to four connections of their own: a key may be asked for while all of the store's are in
    /// transactions that wait for it. A backup of the one has the other too: keep keys in a database
    /// of their own where backups of events are kept for longer than a forgotten person may be in them.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn of(store: &PostgresStore) -> Self {
        PostgresKeyStore { store: beside(store) }
    }

    async fn read(&self, subject: &Subject) -> Result<Option<KeyRow>, StoreError> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query_as(self.store.schema().sql(GET)).bind(subject.as_str());
        let row = query.fetch_optional(&mut *connection).await;
        row.map_err(|error| failed("reading a key", error, Effect::None))
    }

    async fn insert(&self, subject: &Subject, key: WrappedKey) -> Result<(), StoreError> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query(self.store.schema().sql(CREATE)).bind(subject.as_str());
        let query = query.bind(key.id.to_string()).bind(key.master).bind(key.bytes);
        let inserted = query.execute(&mut *connection).await;
        inserted.map(drop).map_err(|error| failed("storing a key", error, Effect::Possible))
    }

    /// Whether it is forgotten now, whether there was a key, how many pseudonyms, and the tombstone.
    async fn bury(&self, forgetting: &Forget<'_>) -> Result<(bool, bool, u64, i64, String), StoreError> {
        const DOING: &str = "forgetting a subject";
        let failed_before = |error| failed(DOING, error, Effect::None);
        let schema = self.store.schema();
        let Forget { subject, tombstone, followers } = forgetting;
        let (subject, at) = (subject.as_str(), tombstone.at.as_millisecond());
        let mut connection = self.store.connection().await?;
        let mut transaction = connection.begin_with(BEGIN).await.map_err(failed_before)?;
        let mut changed = [false; 2];
        for (sql, changed) in [FORGET_UNKNOWN, FORGET_KNOWN].into_iter().zip(&mut changed) {
            let query = sqlx::query(schema.sql(sql)).bind(subject).bind(at).bind(&tombstone.by);
            *changed = query.execute(&mut *transaction).await.map_err(failed_before)?.rows_affected() > 0;
        }
        // Behind the key, so that it waits for those that are being stored.
        let deleted = pseudonyms::forget(&mut transaction, schema, subject).await.map_err(failed_before)?;
        let query = sqlx::query(schema.sql(FOLLOWERS)).bind(subject).bind(*followers);
        query.execute(&mut *transaction).await.map_err(failed_before)?;
        let query = sqlx::query_as(schema.sql(TOMBSTONE)).bind(subject);
        let (at, by) = query.fetch_one(&mut *transaction).await.map_err(failed_before)?;
        transaction.commit().await.map_err(|error| failed(DOING, error, Effect::Possible))?;
        let [was_unknown, had_key] = changed;
        Ok((was_unknown || had_key, had_key, deleted, at, by))
    }

    async fn delete_follower(&self, subject: &Subject, name: &str) -> Result<(), StoreError> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query(self.store.schema().sql(FOLLOWED)).bind(subject.as_str()).bind(name);
        let deleted = query.execute(&mut *connection).await;
        deleted.map(drop).map_err(|error| failed("recording a follower", error, Effect::Possible))
    }

    async fn read_unfinished(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, i64, String, Vec<String>)>, StoreError> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query_as(self.store.schema().sql(UNFINISHED)).bind(after).bind(limit);
        let rows = query.fetch_all(&mut *connection).await;
        rows.map_err(|error| failed("reading what is unfinished", error, Effect::None))
    }

    async fn read_wrapped(
        &self,
        current: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, String, String, Vec<u8>)>, StoreError> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query_as(self.store.schema().sql(WRAPPED_OTHERWISE)).bind(current);
        let rows = query.bind(after).bind(limit).fetch_all(&mut *connection).await;
        rows.map_err(|error| failed("reading keys", error, Effect::None))
    }

    async fn replace(
        &self,
        subject: &Subject,
        old: &WrappedKey,
        new: WrappedKey,
    ) -> Result<bool, StoreError> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query(self.store.schema().sql(REWRAP)).bind(subject.as_str());
        let query = query.bind(old.id.to_string()).bind(&old.master).bind(&old.bytes);
        let replaced = query.bind(new.master).bind(new.bytes).execute(&mut *connection).await;
        let replaced = replaced.map_err(|error| failed("replacing a key", error, Effect::Possible))?;
        Ok(replaced.rows_affected() > 0)
    }
}

#[async_trait]
impl KeyStore for PostgresKeyStore {
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
