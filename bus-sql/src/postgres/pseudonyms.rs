//! The pseudonyms of values in PostgreSQL.

use jitney_privacy::{Pseudonym, StoredPseudonym, Subject, ValueHash};
use jitney_sourcing::Error;
use sqlx::PgConnection;

use super::error::{Effect, failed};
use super::keys::PostgresKeyStore;
use super::schema::Schema;
use crate::keys::PseudonymRow;

/// Of a subject that is being forgotten, it waits for the end of that.
const INSERT: &str = "
INSERT INTO {schema}.pseudonyms (pseudonym, purpose, subject, hash, sealed)
SELECT $1, $2, subject, $4, $5 FROM {schema}.subject_keys WHERE subject = $3 AND wrapped IS NOT NULL FOR SHARE
ON CONFLICT (subject, purpose, hash) DO NOTHING";

const OF_VALUE: &str =
    "SELECT pseudonym FROM {schema}.pseudonyms WHERE subject = $1 AND purpose = $2 AND hash = $3";

const FIND: &str = "SELECT subject, hash, sealed FROM {schema}.pseudonyms WHERE pseudonym = $1";

const DELETE: &str = "
DELETE FROM {schema}.pseudonyms WHERE subject = $1 AND purpose = $2 AND ($3::bytea IS NULL OR hash = $3)";

const DELETE_ALL: &str = "DELETE FROM {schema}.pseudonyms WHERE subject = $1";

impl PostgresKeyStore {
    /// The text of the one that there is now.
    pub(super) async fn insert_pseudonym(&self, new: &StoredPseudonym) -> Result<Option<String>, Error> {
        const DOING: &str = "storing a pseudonym";
        let mut connection = self.store.connection().await?;
        let (schema, purpose) = (self.store.schema(), new.pseudonym.purpose());
        let query = sqlx::query(schema.sql(INSERT)).bind(new.pseudonym.as_str()).bind(purpose);
        let query = query.bind(new.subject.as_str()).bind(&new.hash.as_bytes()[..]).bind(&new.sealed);
        let inserted = query.execute(&mut *connection).await;
        inserted.map_err(|error| failed(DOING, error, Effect::Possible))?;
        let query = sqlx::query_scalar(schema.sql(OF_VALUE)).bind(new.subject.as_str());
        let query = query.bind(purpose).bind(&new.hash.as_bytes()[..]);
        let found = query.fetch_optional(&mut *connection).await;
        found.map_err(|error| failed(DOING, error, Effect::Possible))
    }

    pub(super) async fn read_pseudonym(&self, pseudonym: &Pseudonym) -> Result<Option<PseudonymRow>, Error> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query_as(self.store.schema().sql(FIND)).bind(pseudonym.as_str());
        let row = query.fetch_optional(&mut *connection).await;
        row.map_err(|error| failed("reading a pseudonym", error, Effect::None))
    }

    pub(super) async fn remove_pseudonyms(
        &self,
        subject: &Subject,
        purpose: &str,
        hash: Option<&ValueHash>,
    ) -> Result<u64, Error> {
        let mut connection = self.store.connection().await?;
        let query = sqlx::query(self.store.schema().sql(DELETE)).bind(subject.as_str()).bind(purpose);
        let query = query.bind(hash.map(|hash| &hash.as_bytes()[..]));
        let deleted = query.execute(&mut *connection).await;
        let deleted = deleted.map_err(|error| failed("deleting pseudonyms", error, Effect::Possible))?;
        Ok(deleted.rows_affected())
    }
}

/// Deletes those of `subject`, whose key is deleted in the same transaction before.
pub(super) async fn forget(
    connection: &mut PgConnection,
    schema: &Schema,
    subject: &str,
) -> sqlx::Result<u64> {
    let query = sqlx::query(schema.sql(DELETE_ALL)).bind(subject);
    Ok(query.execute(connection).await?.rows_affected())
}
