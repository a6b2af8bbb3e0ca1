//! The pseudonyms of values in SQLite.

use jitney_privacy::{Pseudonym, StoredPseudonym, Subject, ValueHash};
use jitney_sourcing::Error;
use sqlx::SqliteConnection;

use super::error::commit_failed;
use super::keys::SqliteKeyStore;
use super::overwrite::OVERWRITE;
use crate::keys::PseudonymRow;

const INSERT: &str = "INSERT INTO jitney_pseudonyms (pseudonym, purpose, subject, hash, sealed) \
                      SELECT ?1, ?2, subject, ?4, ?5 FROM jitney_subject_keys WHERE subject = ?3 AND wrapped IS NOT NULL \
                      ON CONFLICT (subject, purpose, hash) DO NOTHING";

const OF_VALUE: &str =
    "SELECT pseudonym FROM jitney_pseudonyms WHERE subject = ?1 AND purpose = ?2 AND hash = ?3";

const FIND: &str = "SELECT subject, hash, sealed FROM jitney_pseudonyms WHERE pseudonym = ?1";

const DELETE: &str =
    "DELETE FROM jitney_pseudonyms WHERE subject = ?1 AND purpose = ?2 AND (?3 IS NULL OR hash = ?3)";

const DELETE_ALL: &str = "DELETE FROM jitney_pseudonyms WHERE subject = ?1";

impl SqliteKeyStore {
    /// The text of the one that there is now.
    pub(super) async fn insert_pseudonym(&self, new: &StoredPseudonym) -> Result<Option<String>, Error> {
        let failed = |error| commit_failed(self.store.place(), "storing a pseudonym", error);
        let purpose = new.pseudonym.purpose();
        let query = sqlx::query(INSERT).bind(new.pseudonym.as_str()).bind(purpose);
        let query = query.bind(new.subject.as_str()).bind(&new.hash.as_bytes()[..]).bind(&new.sealed);
        query.execute(self.store.writer()).await.map_err(failed)?;
        let query = sqlx::query_scalar(OF_VALUE).bind(new.subject.as_str());
        let query = query.bind(purpose).bind(&new.hash.as_bytes()[..]);
        query.fetch_optional(self.store.writer()).await.map_err(failed)
    }

    pub(super) async fn read_pseudonym(&self, pseudonym: &Pseudonym) -> Result<Option<PseudonymRow>, Error> {
        let mut connection = self.store.reader().await?;
        let row = sqlx::query_as(FIND).bind(pseudonym.as_str()).fetch_optional(&mut *connection).await;
        row.map_err(|error| self.store.failed("reading a pseudonym", error))
    }

    pub(super) async fn remove_pseudonyms(
        &self,
        subject: &Subject,
        purpose: &str,
        hash: Option<&ValueHash>,
    ) -> Result<u64, Error> {
        const DOING: &str = "deleting pseudonyms";
        let failed = |error| self.store.failed(DOING, error);
        let mut transaction = self.store.begin().await?;
        sqlx::query(OVERWRITE).execute(&mut *transaction).await.map_err(failed)?;
        let query = sqlx::query(DELETE).bind(subject.as_str()).bind(purpose);
        let query = query.bind(hash.map(|hash| &hash.as_bytes()[..]));
        let deleted = query.execute(&mut *transaction).await.map_err(failed)?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(self.store.place(), DOING, error))?;
        Ok(deleted.rows_affected())
    }
}

/// Deletes those of `subject`, whose key is deleted in the same transaction before.
pub(super) async fn forget(connection: &mut SqliteConnection, subject: &str) -> sqlx::Result<u64> {
    Ok(sqlx::query(DELETE_ALL).bind(subject).execute(connection).await?.rows_affected())
}
