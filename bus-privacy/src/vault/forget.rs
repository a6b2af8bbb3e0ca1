//! Forgetting: tombstone and key in one step, then everything that follows, which a crash does not end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jitney_core::error_chain;

use super::cache::Known;
use super::{Inner, Vault};
use crate::{Error, ErrorKind, Forget, ForgetReport, Forgetting, Forgotten, Subject, Tombstone, Unfinished};

/// How many subjects are asked for at once.
const PAGE: usize = 100;

/// By so much clocks of machines may differ, and a key store may take to answer.
const SKEW: Duration = Duration::from_secs(3600);

/// How long to wait before what is unfinished is tried again, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

impl Vault {
    /// Forgets `subject`: deletes its key and its pseudonyms, leaves a tombstone that keeps one from being made again, and then does what
    /// follows, by everything that was registered with [`also`](super::VaultBuilder::also).
    ///
    /// From the tombstone on nothing can be sealed for the subject, and this process opens nothing of it. Other processes let
    /// go of the key within [`forget_within`](super::VaultBuilder::forget_within); where there are followers, this waits for
    /// that before it calls them, so that nothing is put back in the clear behind them.
    ///
    /// A subject that is forgotten already is forgotten again: the tombstone stays as it is, and the followers are called. Each
    /// service that has followers of its own calls this.
    ///
    /// # Errors
    ///
    /// When the key store does not answer: the subject may be forgotten, call it again. Of kind
    /// [`Unfinished`](ErrorKind::Unfinished) when the key is gone and a follower has failed: the others were called, and this one
    /// is called again in the background until it is done, at the next start, by
    /// [`resume_forgetting`](Self::resume_forgetting), or by the same call.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped before the key store has answered, the subject may not be forgotten. Behind that, what follows goes
    /// on by itself.
    pub async fn forget(&self, subject: &Subject) -> Result<ForgetReport, Error> {
        let Inner { store, cache, env, by, followers, .. } = &*self.inner;
        let names: Vec<&str> = followers.iter().map(|follower| follower.name()).collect();
        let tombstone = Tombstone { at: env.now(), by: by.clone() };
        let forgotten = store.forget(&Forget { subject, tombstone, followers: &names }).await;
        let forgotten =
            forgotten.map_err(|error| error.while_doing(format_args!("forgetting `{subject}`")))?;
        cache.set(subject, Known::Forgotten(forgotten.tombstone.clone()));
        tracing::info!(%subject, "a data subject is forgotten: its key is deleted");
        // Whoever asked may not stay: what follows goes on without them.
        let (vault, subject) = (self.clone(), subject.clone());
        let following = env.spawn(async move {
            let followers = &vault.inner.followers;
            let everywhere_by = vault.everywhere_by();
            if !followers.is_empty() {
                vault.wait_for_others(&forgotten).await;
            }
            let followed = vault.follow(&subject, &forgotten, followers, Vec::new(), everywhere_by).await;
            if followed.is_err() {
                finish_in_background(&vault);
            }
            followed
        });
        following.await.unwrap_or_else(|error| {
            let what =
                "forgetting: the key is gone, and what follows was broken off; it is done at the next start";
            Err(Error::new(ErrorKind::Unfinished, what).with_source(error))
        })
    }

    /// Calls the followers that a crash or an error has kept from being called, of all subjects, as far as this vault has them.
    /// [`open`](super::VaultBuilder::open) does so by itself.
    ///
    /// # Errors
    ///
    /// As [`forget`](Self::forget); the followers of other subjects were called all the same.
    ///
    /// # Cancellation
    ///
    /// As [`forget`](Self::forget).
    pub async fn resume_forgetting(&self) -> Result<Vec<ForgetReport>, Error> {
        let (mut reports, mut first_error) = (Vec::new(), None);
        let mut after: Option<Subject> = None;
        loop {
            let page = self.unfinished(after.as_ref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.subject.clone());
            for Unfinished { subject, tombstone, followers } in page {
                let (ours, left) = self.ours(&followers);
                if ours.is_empty() {
                    continue;
                }
                self.inner.cache.set(&subject, Known::Forgotten(tombstone.clone()));
                let forgotten = Forgotten { tombstone, is_new: false, had_key: false, pseudonyms: 0 };
                let everywhere_by = self.everywhere_by();
                self.wait_for_others(&forgotten).await;
                match self.follow(&subject, &forgotten, &ours, left, everywhere_by).await {
                    Ok(report) => reports.push(report),
                    Err(error) => first_error = first_error.or(Some(error)),
                }
            }
        }
        first_error.map_or(Ok(reports), Err)
    }

    /// Whether followers of this vault are to be called.
    pub(super) async fn has_to_finish(&self) -> Result<bool, Error> {
        let mut after: Option<Subject> = None;
        loop {
            let page = self.unfinished(after.as_ref()).await?;
            let Some(last) = page.last() else { return Ok(false) };
            after = Some(last.subject.clone());
            if page.into_iter().any(|unfinished| !self.ours(&unfinished.followers).0.is_empty()) {
                return Ok(true);
            }
        }
    }

    async fn unfinished(&self, after: Option<&Subject>) -> Result<Vec<Unfinished>, Error> {
        let unfinished = self.inner.store.unfinished(after, PAGE).await;
        unfinished.map_err(|error| error.while_doing("looking for subjects whose forgetting is not finished"))
    }

    /// The followers of these names that this vault has, and the other names.
    fn ours(&self, names: &[String]) -> (Vec<Arc<dyn Forgetting>>, Vec<String>) {
        let is_named = |name: &str| names.iter().any(|wanted| wanted == name);
        let ours: Vec<_> =
            self.inner.followers.iter().filter(|follower| is_named(follower.name())).cloned().collect();
        let is_ours = |name: &String| ours.iter().any(|follower| follower.name() == name);
        let left = names.iter().filter(|name| !is_ours(name)).cloned().collect();
        (ours, left)
    }

    /// When every process has let go of a key that is deleted by now.
    fn everywhere_by(&self) -> Timestamp {
        let Inner { env, forget_within, .. } = &*self.inner;
        env.now().saturating_add(*forget_within).unwrap_or(Timestamp::MAX)
    }

    /// Waits until no process has the key at hand that is deleted.
    async fn wait_for_others(&self, forgotten: &Forgotten) {
        let Inner { env, forget_within, .. } = &*self.inner;
        // By another machine's clock, perhaps, and from before the store had answered: whatever is not surely long ago is now.
        let passed = Duration::try_from(env.now().duration_since(forgotten.tombstone.at)).unwrap_or_default();
        if forgotten.is_new || passed < forget_within.saturating_add(SKEW) {
            env.sleep(*forget_within).await;
        }
    }

    async fn follow(
        &self,
        subject: &Subject,
        forgotten: &Forgotten,
        followers: &[Arc<dyn Forgetting>],
        left: Vec<String>,
        everywhere_by: Timestamp,
    ) -> Result<ForgetReport, Error> {
        let (mut followed, mut failed) = (Vec::new(), Vec::new());
        for follower in followers {
            let name = follower.name();
            let done = match follower.forget(subject).await {
                Ok(did) => self.inner.store.followed(subject, name).await.map(|()| did).map_err(Into::into),
                Err(error) => Err(error),
            };
            match done {
                Ok(did) => followed.push((name.to_owned(), did)),
                Err(error) => failed.push((name, error)),
            }
        }
        let Forgotten { tombstone, is_new, had_key, pseudonyms } = forgotten;
        let names: Vec<_> = failed.iter().map(|(name, _)| format!("`{name}`")).collect();
        if let Some((_, error)) = failed.into_iter().next() {
            let what = format!(
                "forgetting `{subject}`: its key is gone, and {} failed; that is done again at the next start, or when \
                 `forget` is called again",
                names.join(", ")
            );
            return Err(Error::new(ErrorKind::Unfinished, what).with_source(error));
        }
        Ok(ForgetReport {
            subject: subject.clone(),
            at: tombstone.at,
            by: tombstone.by.clone(),
            is_new: *is_new,
            had_key: *had_key,
            pseudonyms: *pseudonyms,
            followed,
            left,
            everywhere_by,
        })
    }
}

/// Resumes until everything is done, or the vault is dropped.
pub(super) fn finish_in_background(vault: &Vault) {
    let (env, weak) = (vault.inner.env.clone(), Arc::downgrade(&vault.inner));
    let clock = env.clone();
    let finishing = async move {
        let mut pause = PAUSES[0];
        while let Some(inner) = weak.upgrade() {
            let vault = Vault { inner };
            match vault.resume_forgetting().await {
                Ok(reports) => {
                    tracing::info!(
                        subjects = reports.len(),
                        "finished forgetting what a process had begun to forget"
                    );
                    return;
                }
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::warn!(error, "forgetting is not finished, and is tried again");
                }
            }
            drop(vault);
            clock.sleep(pause).await;
            pause = (2 * pause).min(PAUSES[1]);
        }
    };
    drop(env.spawn(finishing));
}
