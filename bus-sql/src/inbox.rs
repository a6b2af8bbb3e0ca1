//! What the inboxes of all databases have in common: which keys are stored, and for how long.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney_core::outbox::OutboxEvent;
use jitney_core::processed::ProcessedKey;
use jitney_core::{Env, Error, ErrorKind};
use jitney_sourcing::Sealing;
use tokio::time::Instant;
use uuid::Uuid;

use crate::outbox::Row;

/// Longer keys are stored as a hash: not every index takes them, and they come from outside.
const MAX_KEY_BYTES: usize = 500;

/// So many marks are deleted in one transaction.
pub(crate) const CLEANED_AT_ONCE: i64 = 1000;

/// How often marks are deleted that are too old.
const CLEAN_EVERY: Duration = Duration::from_secs(600);

/// No database's clock overflows when this is added to it.
const FAR: Duration = Duration::from_secs(1000 * 366 * 24 * 3600);

/// What names the hashes of long keys.
const LONG_KEYS: Uuid = Uuid::from_u128(0x5c0d_16a4_7b5f_4a0e_9d3c_6a4f_02b1_7e95);

/// A key as it is stored.
pub(crate) fn stored_key<'a>(key: ProcessedKey<'a>) -> Cow<'a, str> {
    if key.text.len() <= MAX_KEY_BYTES && !key.text.contains('\0') {
        return Cow::Borrowed(key.text);
    }
    Cow::Owned(format!("hash:{}", Uuid::new_v5(&LONG_KEYS, key.text.as_bytes()).simple()))
}

/// Events as rows of the outbox, sealed by `sealing`.
pub(crate) async fn outbox_rows(events: Vec<OutboxEvent>, sealing: &Sealing) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        rows.push(Row::new(sealing.seal_outgoing(event).await?)?);
    }
    Ok(rows)
}

/// The error of `doing` something with a transaction that is not the one any more in which the events were marked.
pub(crate) fn was_ended(doing: &str) -> Error {
    let what = format!(
        "{doing}: it was ended meanwhile, by a statement of the handler (`ROLLBACK`, `COMMIT`) or a conflict that rolls it back \
         (`INSERT OR ROLLBACK`, `RAISE(ROLLBACK)`), and what the handler wrote behind that is in no transaction; leave \
         beginning and ending it to the inbox, and use savepoints (`tx.begin()`)"
    );
    Error::new(ErrorKind::Rejected, what).retryable(true)
}

/// How long marks are kept, and when those are to be looked for that are too old.
#[derive(Debug, Clone)]
pub(crate) struct Keeping {
    event_ids: Duration,
    natural_keys: Option<Duration>,
    cleaned: Arc<Mutex<Option<Instant>>>,
}

impl Default for Keeping {
    fn default() -> Self {
        Keeping { event_ids: Duration::from_secs(7 * 24 * 3600), natural_keys: None, cleaned: Arc::default() }
    }
}

impl Keeping {
    pub(crate) fn event_ids_for(&mut self, time: Duration) {
        self.event_ids = time.min(FAR);
    }

    pub(crate) fn natural_keys_for(&mut self, time: Duration) {
        self.natural_keys = Some(time.min(FAR));
    }

    /// How long a mark is kept from now on, where it has an end.
    pub(crate) fn time_of(&self, is_natural: bool) -> Option<Duration> {
        if is_natural { self.natural_keys } else { Some(self.event_ids) }
    }

    /// Whether it is time to look for marks that are too old. Says so once.
    pub(crate) fn is_due(&self, env: &Env) -> bool {
        let now = env.instant();
        let mut cleaned = self.cleaned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = cleaned.is_none_or(|cleaned| now.duration_since(cleaned) >= CLEAN_EVERY);
        if is_due {
            *cleaned = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_index_takes_is_stored_as_a_hash_of_its_own() {
        assert_eq!(stored_key(ProcessedKey::event_id("e-1")), "e-1");
        let long = |end: &str| format!("{}{end}", "k".repeat(10_000));
        let (one, other) = (long("1"), long("2"));
        let stored =
            [&*one, &other, "a\0b", "a\0c"].map(|key| stored_key(ProcessedKey::natural(key)).into_owned());
        assert!(stored.iter().all(|key| key.len() < 100 && !key.contains('\0')), "{stored:?}");
        assert_eq!(stored.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    }

    #[test]
    fn natural_keys_are_kept_for_ever_unless_told() {
        let mut keeping = Keeping::default();
        let week = Duration::from_secs(7 * 24 * 3600);
        assert_eq!([false, true].map(|is_natural| keeping.time_of(is_natural)), [Some(week), None]);
        keeping.event_ids_for(Duration::MAX);
        keeping.natural_keys_for(week);
        assert_eq!([false, true].map(|is_natural| keeping.time_of(is_natural)), [Some(FAR), Some(week)]);
    }

    #[tokio::test(start_paused = true)]
    async fn old_marks_are_looked_for_at_first_and_then_at_times() {
        let (env, keeping) = (Env::seeded(1), Keeping::default());
        assert_eq!([keeping.is_due(&env), keeping.clone().is_due(&env)], [true, false]);
        env.sleep(CLEAN_EVERY).await;
        assert!(keeping.is_due(&env));
    }
}
