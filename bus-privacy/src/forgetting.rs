//! What follows when a subject is forgotten, and what is told of it.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::Subject;

/// Why a follower could not do its work.
pub type FollowerError = Box<dyn StdError + Send + Sync>;

/// Does what follows when a subject is forgotten: snapshots and read models have what they have in the clear, or in totals.
///
/// The key is gone when it is called, and every process has let go of it: what is built anew from events finds the subject erased.
#[async_trait]
pub trait Forgetting: fmt::Debug + Send + Sync + 'static {
    /// The name by which it is remembered until it is done; it stays the same from one start to the next.
    fn name(&self) -> &str;

    /// Does it, and says what was done, for the report. It is called again after a crash, and whenever the same subject is to be
    /// forgotten again: it has to be idempotent.
    ///
    /// # Errors
    ///
    /// When it is not done: it is called again at the next start, or by
    /// [`Vault::resume_forgetting`](crate::Vault::resume_forgetting).
    ///
    /// # Cancellation
    ///
    /// It is called again when the future is dropped.
    async fn forget(&self, subject: &Subject) -> Result<String, FollowerError>;
}

/// A follower of this name that calls `forget`.
///
/// ```
/// use jitney_privacy::{Subject, follower};
///
/// let letters = follower("letters", async |subject: Subject| Ok(format!("0 letters of {subject} deleted")));
/// ```
pub fn follower<F, Fut>(name: impl Into<String>, forget: F) -> impl Forgetting
where
    F: Fn(Subject) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, FollowerError>> + Send + 'static,
{
    Follower { name: name.into(), forget }
}

struct Follower<F> {
    name: String,
    forget: F,
}

impl<F> fmt::Debug for Follower<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Follower").field(&self.name).finish()
    }
}

#[async_trait]
impl<F, Fut> Forgetting for Follower<F>
where
    F: Fn(Subject) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String, FollowerError>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn forget(&self, subject: &Subject) -> Result<String, FollowerError> {
        (self.forget)(subject.clone()).await
    }
}

/// What was done to forget a subject; `Display` writes it in full, for the records that have to be kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForgetReport {
    /// Whom.
    pub subject: Subject,
    /// When the key was deleted, first.
    pub at: Timestamp,
    /// In whose name, first.
    pub by: String,
    /// Whether that was now, and not before.
    pub is_new: bool,
    /// Whether there was a key: where there was none, nothing had ever been sealed.
    pub had_key: bool,
    /// How many pseudonyms were deleted with it.
    pub pseudonyms: u64,
    /// What the followers did, each under its name.
    pub followed: Vec<(String, String)>,
    /// The followers that are still to be called, by processes that have them.
    pub left: Vec<String>,
    /// The moment from which on no process has the key any more.
    pub everywhere_by: Timestamp,
}

impl fmt::Display for ForgetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ForgetReport { subject, at, by, is_new, had_key, pseudonyms, followed, left, everywhere_by } =
            self;
        let key = match (is_new, had_key) {
            (true, true) => "its key was deleted",
            (true, false) => "it had no key; none will be made",
            (false, _) => "its key had been deleted before",
        };
        writeln!(f, "`{subject}` was forgotten at {at} by {by}: {key}")?;
        match pseudonyms {
            0 => {}
            1 => writeln!(f, "one pseudonym was deleted")?,
            more => writeln!(f, "{more} pseudonyms were deleted")?,
        }
        writeln!(f, "no process opens its data from {everywhere_by} on")?;
        followed.iter().try_for_each(|(name, did)| writeln!(f, "{name}: {did}"))?;
        left.iter().try_for_each(|name| writeln!(f, "{name}: not done; to be done by a process that has it"))
    }
}
