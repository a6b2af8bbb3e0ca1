//! Marks that are too old.

use jitney_core::{Error, error_chain};

use super::PostgresInbox;
use crate::inbox::CLEANED_AT_ONCE;
use crate::postgres::error::{Effect, failed};

/// Past those that another process deletes meanwhile.
const CLEAN: &str = "
DELETE FROM {schema}.inbox WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM {schema}.inbox WHERE forget_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED))";

impl PostgresInbox {
    /// Deletes all marks that have come to their end, whatever inbox made them, and answers how many there were. An inbox that is in use does so by itself.
    ///
    /// # Errors
    ///
    /// When the database does not answer; what was deleted by then stays so.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the rest for the next time.
    pub async fn clean(&self) -> Result<u64, Error> {
        let mut cleaned = 0;
        loop {
            let some = self.clean_some().await?;
            cleaned += some;
            if some < CLEANED_AT_ONCE.unsigned_abs() {
                return Ok(cleaned);
            }
        }
    }

    async fn clean_some(&self) -> Result<u64, Error> {
        let mut connection = self.store.connection().await?;
        let delete = sqlx::query(self.store.schema().sql(CLEAN)).bind(CLEANED_AT_ONCE);
        let deleted = delete.execute(&mut *connection).await;
        let deleted = deleted.map_err(|error| failed("cleaning the inbox", error, Effect::None))?;
        Ok(deleted.rows_affected())
    }

    /// Cleans on a task of its own, where it is time to.
    pub(super) fn clean_at_times(&self) {
        let env = self.store.env();
        if self.keeping.is_due(env) {
            let inbox = self.clone();
            drop(env.spawn(async move {
                if let Err(error) = inbox.clean().await {
                    tracing::warn!(
                        error = error_chain(&error),
                        "cleaning the inbox failed, and is tried again later"
                    );
                }
            }));
        }
    }
}
