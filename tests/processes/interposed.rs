//! A store with something between it and its runner: other writers, crashes, lost answers.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jitney::Id;
use jitney::sourcing::process::{
    DueDeadlines, ListProcesses, Loaded, ParkedInput, PendingDeadline, ProcessCommit, ProcessCounts,
    ProcessInfo, ProcessStep, ProcessStore, StoredProcess,
};
use jitney::sourcing::{Error, ErrorKind, Position};

type Hook = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// The program ends before it is sent.
    EndsBefore,
    /// The program ends when it is stored, before it hears so.
    EndsBehind,
    /// It is stored, and the answer is lost.
    AnswerLost,
    /// It is not stored, and the answer is lost.
    Lost,
}

#[derive(Clone)]
pub(crate) struct Interposed<S> {
    inner: S,
    hook: Arc<Mutex<Option<Arc<Hook>>>>,
    /// Of the commit with this number, from 1, or of all.
    fate: Option<(Option<usize>, Fate)>,
    /// It answers that one is due, and gives none.
    is_locked: bool,
    refused: Option<&'static str>,
    begun: Arc<AtomicUsize>,
    claims: Arc<AtomicUsize>,
    commits: Arc<AtomicUsize>,
}

impl<S: ProcessStore> Interposed<S> {
    pub(crate) fn new(inner: S) -> Self {
        Interposed {
            inner,
            hook: Arc::default(),
            fate: None,
            is_locked: false,
            refused: None,
            begun: Arc::default(),
            claims: Arc::default(),
            commits: Arc::default(),
        }
    }

    pub(crate) fn with_fate(inner: S, commit: usize, fate: Fate) -> Self {
        Interposed { fate: Some((Some(commit), fate)), ..Interposed::new(inner) }
    }

    pub(crate) fn always(inner: S, fate: Fate) -> Self {
        Interposed { fate: Some((None, fate)), ..Interposed::new(inner) }
    }

    /// As where another one is just claiming a deadline that is due.
    pub(crate) fn with_locked_deadline(self) -> Self {
        Interposed { is_locked: true, ..self }
    }

    /// It keeps no step of the event `refused`, however often it is asked.
    pub(crate) fn refusing(inner: S, refused: &'static str) -> Self {
        Interposed { refused: Some(refused), ..Interposed::new(inner) }
    }

    /// How often deadlines were asked for.
    pub(crate) fn claims(&self) -> usize {
        self.claims.load(Ordering::SeqCst)
    }

    /// Runs `hook` once, before the next commit.
    pub(crate) fn before_commit<F>(&self, hook: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hook: Hook = Box::new(move || Box::pin(hook()));
        *self.hook.lock().unwrap() = Some(Arc::new(hook));
    }

    /// How many have come to their end, or to their fate.
    pub(crate) fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

impl<S: ProcessStore> fmt::Debug for Interposed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interposed").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: ProcessStore> ProcessStore for Interposed<S> {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn load(&self, process: &str, inputs: &[(String, Id)]) -> Result<Loaded, Error> {
        self.inner.load(process, inputs).await
    }

    async fn commit(&self, commit: ProcessCommit) -> Result<(), Error> {
        let mut steps = commit.changes.iter().flat_map(|change| &change.steps);
        if self.refused.is_some_and(|refused| steps.any(|step| step.id == Id::from(refused))) {
            return Err(Error::new(ErrorKind::Invalid, "the database cannot keep such a value"));
        }
        let hook = self.hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook().await;
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let fate = self.fate.filter(|(at, _)| at.is_none_or(|at| at == number)).map(|(_, fate)| fate);
        let stored = match fate {
            Some(Fate::EndsBefore | Fate::Lost) => Ok(()),
            None | Some(Fate::EndsBehind | Fate::AnswerLost) => self.inner.commit(commit).await,
        };
        self.commits.fetch_add(1, Ordering::SeqCst);
        match fate {
            None => stored,
            Some(Fate::EndsBefore | Fate::EndsBehind) => std::future::pending().await,
            Some(Fate::AnswerLost | Fate::Lost) => {
                stored.and(Err(Error::new(ErrorKind::Unknown, "the answer was lost")))
            }
        }
    }

    async fn claim_due(
        &self,
        process: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<DueDeadlines, Error> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        if self.is_locked {
            return Ok(DueDeadlines { claimed: Vec::new(), next: Some(now) });
        }
        self.inner.claim_due(process, now, until, limit).await
    }

    async fn deadlines(&self, process: &str, key: &str) -> Result<Vec<PendingDeadline>, Error> {
        self.inner.deadlines(process, key).await
    }

    async fn claim_feed(
        &self,
        process: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Position>, Error> {
        self.inner.claim_feed(process, owner, now, until).await
    }

    async fn release_feed(&self, process: &str, owner: &str) -> Result<(), Error> {
        self.inner.release_feed(process, owner).await
    }

    async fn checkpoint(&self, process: &str) -> Result<Position, Error> {
        self.inner.checkpoint(process).await
    }

    async fn get(&self, process: &str, key: &str) -> Result<Option<StoredProcess>, Error> {
        self.inner.get(process, key).await
    }

    async fn steps(&self, process: &str, key: &str) -> Result<Vec<ProcessStep>, Error> {
        self.inner.steps(process, key).await
    }

    async fn list(&self, process: &str, list: &ListProcesses) -> Result<Vec<ProcessInfo>, Error> {
        self.inner.list(process, list).await
    }

    async fn counts(&self, process: &str, now: Timestamp) -> Result<ProcessCounts, Error> {
        self.inner.counts(process, now).await
    }

    async fn remove_completed(&self, process: &str, before: Timestamp, limit: usize) -> Result<u64, Error> {
        self.inner.remove_completed(process, before, limit).await
    }

    async fn name_parked(&self, process: &str, input: &ParkedInput) -> Result<(), Error> {
        self.inner.name_parked(process, input).await
    }

    async fn parked_input(&self, process: &str, event_id: &Id) -> Result<Option<ParkedInput>, Error> {
        self.inner.parked_input(process, event_id).await
    }

    async fn parked(&self, process: &str, limit: usize) -> Result<Vec<ParkedInput>, Error> {
        self.inner.parked(process, limit).await
    }

    async fn unpark(&self, process: &str, event_id: &Id) -> Result<(), Error> {
        self.inner.unpark(process, event_id).await
    }
}
