//! Rotation: all keys are wrapped anew by the master key that wraps from now on.

use super::{Inner, Vault};
use crate::{Error, ErrorKind, Subject, WrappedKey};

/// How many keys are asked for at once.
const BATCH: usize = 100;

/// What [`Vault::rotate`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotated {
    /// So many keys were wrapped anew.
    pub wrapped: usize,
    /// So many were changed by somebody else meanwhile: forgotten, or wrapped anew.
    pub skipped: usize,
}

impl Vault {
    /// Wraps all keys anew that were wrapped by another master key than the current one; events and snapshots stay as they
    /// are. Behind it the older master keys can be taken away from all processes, and destroyed: what backups have of the
    /// keys from before then opens nothing any more.
    ///
    /// Every process is to have the new master key before this is called. It may be called again at any time, also while another
    /// process does the same, and goes on where it was interrupted.
    ///
    /// # Errors
    ///
    /// When the store or the key management does not answer, and when a key cannot be unwrapped: the first of these, behind all
    /// that can be. Keys that were wrapped anew stay so; call it again.
    ///
    /// # Cancellation
    ///
    /// Keys that were wrapped anew stay so when the future is dropped; the others are as they were.
    pub async fn rotate(&self) -> Result<Rotated, Error> {
        let Inner { store, master, .. } = &*self.inner;
        let doing = || format!("wrapping keys anew by master key `{}`", master.current());
        let mut rotated = Rotated { wrapped: 0, skipped: 0 };
        let (mut first_error, mut after) = (None, None::<Subject>);
        loop {
            let batch = store.wrapped_otherwise(master.current(), after.as_ref(), BATCH).await;
            let batch = batch.map_err(|error| error.while_doing(doing()))?;
            let Some((last, _)) = batch.last() else { break };
            after = Some(last.clone());
            for (subject, old) in batch {
                match self.wrap_anew(&subject, &old).await {
                    Ok(true) => rotated.wrapped += 1,
                    Ok(false) => rotated.skipped += 1,
                    Err(error) if error.is_retryable() && error.kind() != ErrorKind::UnknownMasterKey => {
                        return Err(error.while_doing(doing()));
                    }
                    Err(error) => first_error = first_error.or(Some(error)),
                }
            }
        }
        match first_error {
            Some(error) => Err(error.while_doing(format_args!("{}, {} done", doing(), rotated.wrapped))),
            None => Ok(rotated),
        }
    }

    async fn wrap_anew(&self, subject: &Subject, old: &WrappedKey) -> Result<bool, Error> {
        let key = self.unwrap(subject, old).await?;
        let new = self.inner.master.wrap(subject, old.id, &key).await?;
        self.inner.store.rewrap(subject, old, new).await
    }
}
