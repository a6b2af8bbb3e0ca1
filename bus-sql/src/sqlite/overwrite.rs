//! What was deleted, out of the files: overwritten where it was, and out of the log.

use jitney_sourcing::{Error, ErrorKind};

use super::SqliteStore;

/// Has what is deleted overwritten in its place, on one connection.
pub(super) const OVERWRITE: &str = "PRAGMA secure_delete = ON";

/// Takes what is in the log into the file, and empties the log.
const EMPTY_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Empties the log, so that what was overwritten is not in there still.
///
/// # Errors
///
/// When somebody reads, in this process or in another, for longer than the busy time-out: retryable. The log has it until it comes round.
pub(super) async fn empty_log(store: &SqliteStore, doing: &str) -> Result<(), Error> {
    let emptied = sqlx::query_as::<_, (i64, i64, i64)>(EMPTY_LOG).fetch_one(store.writer()).await;
    match emptied.map_err(|error| store.failed(doing, error))? {
        (0, _, _) => Ok(()),
        _ => {
            let what = format!(
                "{doing} in {}: somebody reads there and holds up its log, which has what was deleted until they have done; end long \
                 reads, and try again",
                store.place()
            );
            Err(Error::new(ErrorKind::Store, what).retryable(true))
        }
    }
}
