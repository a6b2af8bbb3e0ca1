//! The keys that are at hand: a bounded number of them, each for a bounded time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jitney_core::Env;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::key::{DataKey, KeyId};
use crate::{Error, ErrorKind, Subject, Tombstone};

/// So many slots are looked at whenever one is made: more than one, so that old ones become fewer.
const TIDIED: usize = 4;

/// What is known of a subject.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// Its key.
    Key(KeyId, Arc<DataKey>),
    /// It is forgotten, for ever.
    Forgotten(Tombstone),
}

/// Of a subject, what its first reader has fetched; the others wait for that one.
type Cell = Arc<OnceCell<Known>>;

#[derive(Debug)]
pub(super) struct Cache {
    env: Env,
    most: usize,
    max_age: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    slots: HashMap<Subject, Slot>,
    /// The slots in the order in which they were made; one that is not in `slots` under its number is there no more.
    by_age: VecDeque<(Subject, u64)>,
    made: u64,
}

#[derive(Debug)]
struct Slot {
    cell: Cell,
    number: u64,
    /// From before the store was asked, so that a key is never older than it looks.
    since: Instant,
}

impl Cache {
    pub(super) fn new(env: Env, most: usize, max_age: Duration) -> Self {
        Cache { env, most: most.max(1), max_age, inner: Mutex::default() }
    }

    /// What is known of the subject of this text and young enough.
    pub(super) fn get(&self, subject: &str) -> Option<Known> {
        let inner = self.lock();
        let slot = inner.slots.get(subject)?;
        slot.cell.get().filter(|known| self.serves(slot, Some(known))).cloned()
    }

    /// What is known of `subject`, by `fetch` where it is not at hand; one fetch of a subject runs at a time, and the others
    /// are dropped when it has an answer.
    ///
    /// An error is kept for nobody: whoever comes next fetches again. A key that took longer to come than it is at hand is not
    /// given out: it may be gone by now.
    pub(super) async fn get_or_fetch(
        &self,
        subject: &Subject,
        fetch: impl Future<Output = Result<Known, Error>>,
    ) -> Result<Known, Error> {
        let (cell, since) = self.cell(subject);
        let known = cell.get_or_try_init(|| fetch).await?;
        let took = self.env.instant().duration_since(since);
        if matches!(known, Known::Key(..)) && took > self.max_age && !self.max_age.is_zero() {
            let what = format!(
                "fetching the key of `{subject}` took {took:?}, longer than it may be at hand ({:?}); see to the key store and the \
                 key management",
                self.max_age
            );
            return Err(Error::new(ErrorKind::Store, what));
        }
        Ok(known.clone())
    }

    /// From now on `known` is what is known of `subject`. A fetch that is under way answers those who wait for it and nobody
    /// after them.
    pub(super) fn set(&self, subject: &Subject, known: Known) {
        let mut inner = self.lock();
        self.put(&mut inner, subject, Arc::new(OnceCell::new_with(Some(known))));
    }

    /// How many subjects something is known of.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().slots.len()
    }

    fn cell(&self, subject: &Subject) -> (Cell, Instant) {
        let mut inner = self.lock();
        if let Some(slot) = inner.slots.get(subject)
            && self.serves(slot, slot.cell.get())
        {
            return (Arc::clone(&slot.cell), slot.since);
        }
        let cell = Cell::default();
        let since = self.put(&mut inner, subject, Arc::clone(&cell));
        (cell, since)
    }

    fn serves(&self, slot: &Slot, known: Option<&Known>) -> bool {
        matches!(known, Some(Known::Forgotten(_)))
            || self.env.instant().duration_since(slot.since) < self.max_age
    }

    /// Lets go of some keys whose time is over; tombstones stay, as if they had just come.
    fn tidy(&self, inner: &mut Inner) {
        for _ in 0..TIDIED {
            let Some((subject, number)) = inner.by_age.front() else { return };
            match inner.slots.get_mut(subject) {
                Some(slot) if slot.number == *number => {
                    if self.env.instant().duration_since(slot.since) < self.max_age {
                        return;
                    }
                    if matches!(slot.cell.get(), Some(Known::Forgotten(_))) {
                        inner.made += 1;
                        (slot.number, slot.since) = (inner.made, self.env.instant());
                        let again = (subject.clone(), slot.number);
                        inner.by_age.push_back(again);
                    } else {
                        let subject = subject.clone();
                        inner.slots.remove(&subject);
                    }
                }
                _ => {}
            }
            inner.by_age.pop_front();
        }
    }

    fn put(&self, inner: &mut Inner, subject: &Subject, cell: Cell) -> Instant {
        self.tidy(inner);
        inner.made += 1;
        let (number, since) = (inner.made, self.env.instant());
        inner.slots.insert(subject.clone(), Slot { cell, number, since });
        inner.by_age.push_back((subject.clone(), number));
        // As many numbers may lie there of slots that were replaced.
        while inner.slots.len() > self.most || inner.by_age.len() > 2 * self.most {
            let Some((oldest, number)) = inner.by_age.pop_front() else { break };
            if inner.slots.get(&oldest).is_some_and(|slot| slot.number == number) {
                inner.slots.remove(&oldest);
            }
        }
        since
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const AGE: Duration = Duration::from_secs(45);

    fn cache(most: usize) -> Cache {
        Cache::new(Env::seeded(1), most, AGE)
    }

    fn subject(number: usize) -> Subject {
        Subject::of("customer", number).unwrap()
    }

    fn key() -> Known {
        Known::Key(KeyId::random().unwrap(), Arc::new(DataKey::random().unwrap()))
    }

    fn forgotten() -> Known {
        Known::Forgotten(Tombstone { at: Env::seeded(1).now(), by: "me".to_owned() })
    }

    fn is_key(known: &Option<Known>) -> bool {
        matches!(known, Some(Known::Key(..)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_at_hand_for_its_time_and_a_tombstone_for_ever() {
        let (env, cache) = (Env::seeded(1), cache(10));
        cache.set(&subject(1), key());
        cache.set(&subject(2), forgotten());
        env.sleep(AGE - Duration::from_millis(1)).await;
        assert!(is_key(&cache.get("customer/1")));
        env.sleep(Duration::from_millis(1)).await;
        assert!(cache.get("customer/1").is_none());
        assert!(matches!(cache.get("customer/2"), Some(Known::Forgotten(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn the_age_of_a_key_runs_from_before_it_was_asked_for() {
        let (env, cache) = (Env::seeded(1), cache(10));
        let slow = async {
            env.sleep(AGE / 2).await;
            Ok(key())
        };
        cache.get_or_fetch(&subject(1), slow).await.unwrap();
        env.sleep(AGE / 2).await;
        assert!(cache.get("customer/1").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_took_too_long_to_come_is_not_given_out() {
        let (env, cache) = (Env::seeded(1), cache(10));
        let slow = async {
            env.sleep(AGE + Duration::from_secs(1)).await;
            Ok(key())
        };
        let error = cache.get_or_fetch(&subject(1), slow).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(is_key(&cache.get_or_fetch(&subject(1), async { Ok(key()) }).await.ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn keys_whose_time_is_over_go_and_tombstones_stay() {
        let (env, cache) = (Env::seeded(1), cache(1000));
        cache.set(&subject(0), forgotten());
        for number in 1..100 {
            cache.set(&subject(number), key());
        }
        env.sleep(AGE).await;
        for number in 200..250 {
            cache.set(&subject(number), key());
        }
        assert_eq!(cache.len(), 51);
        assert!(matches!(cache.get("customer/0"), Some(Known::Forgotten(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_make_room() {
        let cache = cache(3);
        for number in 0..100 {
            cache.set(&subject(number), key());
            cache.set(&subject(99), key());
        }
        assert_eq!(cache.len(), 3);
        assert!(is_key(&cache.get("customer/99")) && cache.get("customer/1").is_none());
        let inner = cache.lock();
        assert!(inner.by_age.len() <= 6, "{}", inner.by_age.len());
    }

    #[tokio::test(start_paused = true)]
    async fn one_fetches_and_the_others_wait_for_it() {
        let (env, cache, fetches) = (Env::seeded(1), cache(3), AtomicUsize::new(0));
        let one = subject(1);
        let fetch = async || {
            fetches.fetch_add(1, Ordering::SeqCst);
            env.sleep(Duration::from_secs(1)).await;
            Ok(key())
        };
        let all = futures_util::future::join_all((0..10).map(|_| cache.get_or_fetch(&one, fetch()))).await;
        assert!(all.into_iter().all(|known| known.is_ok()));
        assert_eq!(fetches.into_inner(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_kept_for_nobody() {
        let cache = cache(3);
        let failing = async { Err(Error::new(ErrorKind::Store, "away")) };
        assert!(cache.get_or_fetch(&subject(1), failing).await.is_err());
        assert!(is_key(&cache.get_or_fetch(&subject(1), async { Ok(key()) }).await.ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_set_outlives_a_fetch_that_began_before() {
        let (env, cache) = (Env::seeded(1), cache(3));
        let one = subject(1);
        let fetching = cache.get_or_fetch(&one, async {
            env.sleep(Duration::from_secs(1)).await;
            Ok(key())
        });
        let forgetting = async {
            env.sleep(Duration::from_millis(1)).await;
            cache.set(&one, forgotten());
        };
        let (fetched, ()) = tokio::join!(fetching, forgetting);
        assert!(is_key(&fetched.ok()));
        assert!(matches!(cache.get("customer/1"), Some(Known::Forgotten(_))));
    }
}
