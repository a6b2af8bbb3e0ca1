//! Marks that are too old.

use jitney_core::{Error, error_chain};

use super::SqliteInbox;
use crate::inbox::CLEANED_AT_ONCE;
use crate::sqlite::error::commit_failed;

const CLEAN: &str = "DELETE FROM jitney_inbox WHERE rowid IN \
                     (SELECT rowid FROM jitney_inbox WHERE forget_at <= ?1 LIMIT ?2)";

impl SqliteInbox {
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
        const DOING: &str = "cleaning the inbox";
        let mut transaction = self.store.begin().await?;
        let delete = sqlx::query(CLEAN).bind(self.now_ms()).bind(CLEANED_AT_ONCE);
        let deleted =
            delete.execute(&mut *transaction).await.map_err(|error| self.store.failed(DOING, error))?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(self.store.place(), DOING, error))?;
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
