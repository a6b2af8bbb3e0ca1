//! From a command to events.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use jitney_core::handler::HandlerError;
use jitney_core::{Envelope, Id, Metadata};

use super::Repository;
use super::load::PAGE;
use crate::aggregate_root::id_of_event;
use crate::{Aggregate, AggregateRoot, Error, ErrorKind, Position, ReadStream, StoredEvent};

/// What is said about a command beside the command.
///
/// ```no_run
/// # use jitney_sourcing::{Aggregate, HandleError, Repository};
/// # async fn example<A: Aggregate>(accounts: Repository<A>, command: A::Command) -> Result<(), HandleError<A::Error>> {
/// accounts.request().command_id("transfer-4711").user("u-17").handle("a-1", command).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Request<'a, A: Aggregate> {
    repository: &'a Repository<A>,
    command_id: Option<Id>,
    metadata: Metadata,
}

/// What became of a command.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Handled<A> {
    /// The state behind it.
    pub state: A,
    /// The sequence of the stream's last event in that state.
    pub sequence: u64,
    /// A reader that has reached this has seen what the command led to; none where it led to nothing.
    pub position: Option<Position>,
    /// How many events it led to, this time or when it was handled before.
    pub events: usize,
    /// A command of the same id was handled before, and this one has led to nothing more.
    pub was_handled_before: bool,
}

/// Why a command was not handled.
#[derive(Debug)]
pub enum HandleError<E> {
    /// The aggregate refused it; nothing happened.
    Rejected(E),
    /// The store failed, or others were faster each time.
    Store(Error),
}

impl<E> HandleError<E> {
    /// The refusal of the aggregate, where that is what it was.
    pub fn rejection(&self) -> Option<&E> {
        match self {
            HandleError::Rejected(error) => Some(error),
            HandleError::Store(_) => None,
        }
    }

    /// Whether the same call may succeed later. A refusal is final.
    pub fn is_retryable(&self) -> bool {
        match self {
            HandleError::Rejected(_) => false,
            HandleError::Store(error) => error.is_retryable(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for HandleError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandleError::Rejected(error) => error.fmt(f),
            HandleError::Store(error) => error.fmt(f),
        }
    }
}

impl<E: StdError> StdError for HandleError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            HandleError::Rejected(error) => error.source(),
            HandleError::Store(error) => error.source(),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> HandleError<E> {
    /// This error for a handler that returns [`HandlerError`]: a refusal is permanent, and what the store answers is as
    /// retryable as it says. The question mark alone would have everything tried again. A handler that returns
    /// `jitney::Result` needs only that.
    pub fn for_handler(self) -> HandlerError {
        match self {
            HandleError::Rejected(refusal) => HandlerError::permanent(refusal),
            HandleError::Store(error) => error.for_handler(),
        }
    }
}

impl<E: StdError + Send + Sync + 'static> From<HandleError<E>> for jitney_core::Error {
    /// For handlers and programs that return the core's error. A refusal is not retryable.
    fn from(error: HandleError<E>) -> Self {
        match error {
            HandleError::Store(error) => error.into(),
            HandleError::Rejected(refusal) => {
                let what = "handling a command: the aggregate refused it";
                jitney_core::Error::new(jitney_core::ErrorKind::Rejected, what).with_source(refusal)
            }
        }
    }
}

impl<'a, A: Aggregate> Request<'a, A> {
    pub(super) fn new(repository: &'a Repository<A>) -> Self {
        Request { repository, command_id: None, metadata: Metadata::default() }
    }

    /// The command has the id `id`, which is not empty and no other command's: where a command of this id has led to events of the aggregate before, it leads to
    /// nothing more. The ids of its events follow from it.
    pub fn command_id(mut self, id: impl Into<Id>) -> Self {
        self.command_id = Some(id.into());
        self
    }

    /// On behalf of the user `id`.
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.metadata.user_id = Some(id.into());
        self
    }

    /// The events belong to the chain `id`; otherwise to the one of the command's id, or to a new one.
    pub fn correlation(mut self, id: impl Into<Id>) -> Self {
        self.metadata.correlation_id = Some(id.into());
        self
    }

    /// The events follow from `cause`: its chain, user and trace are carried on, where none was given. A handler that may
    /// see the cause again gives the command an id that follows from it: `command_id(cause.event_id().derive("debit", 0))`.
    pub fn caused_by<E>(mut self, cause: &Envelope<E>) -> Self {
        let head = cause.head();
        let Metadata { correlation_id, causation_id, user_id, trace, .. } = &mut self.metadata;
        correlation_id.get_or_insert_with(|| head.correlation_id().clone());
        *causation_id = Some(head.event_id.clone());
        *user_id = user_id.take().or_else(|| head.metadata.user_id.clone());
        *trace = trace.take().or_else(|| head.metadata.trace.clone());
        self
    }

    /// With a pair of the application's own in the metadata of the events.
    pub fn pair(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.pairs.insert(name.into(), value.into());
        self
    }

    /// Has the aggregate `id` decide on `command`, and appends what it decides. When another writer was faster, the
    /// aggregate is loaded again and decides anew, as often as the repository allows, with a pause that grows; and once where somebody
    /// was forgotten since it was loaded. An append that
    /// the store did not answer is made again under the same ids, so that its events are there once.
    ///
    /// # Errors
    ///
    /// The aggregate's refusal, unless a command of the same id was handled before; or what the store answers. Of kind
    /// [`Unknown`](ErrorKind::Unknown) when it is not known whether the events are stored: without a command id that is not
    /// retryable, since the same call would be another command.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether the events are stored. A command with an id can be handled again.
    pub async fn handle(
        &self,
        id: impl Into<String>,
        command: A::Command,
    ) -> Result<Handled<A>, HandleError<A::Error>> {
        if self.command_id.as_ref().is_some_and(|id| id.with_str(str::is_empty)) {
            let what = "handling a command: its id is empty; give it one that no other command has, or none";
            return Err(HandleError::Store(Error::new(ErrorKind::Invalid, what)));
        }
        let stream = self.repository.stream(id);
        let (mut attempt, mut has_forgotten) = (1, false);
        loop {
            let root = self.repository.load_stream(stream.clone()).await.map_err(HandleError::Store)?;
            match self.attempt(root, command.clone()).await {
                Err(HandleError::Store(error))
                    if error.kind() == ErrorKind::Conflict && attempt < self.repository.attempts =>
                {
                    tracing::debug!(%stream, attempt, "another writer was faster; deciding anew");
                    self.pause(attempt).await;
                    attempt += 1;
                }
                // Since the aggregate was loaded: what it has of them is erased by now.
                Err(HandleError::Store(error)) if error.kind() == ErrorKind::Forgotten && !has_forgotten => {
                    has_forgotten = true;
                }
                outcome => return outcome,
            }
        }
    }

    /// Lets others have their turn: up to 4 ms at first, and up to a quarter of a second in the end.
    async fn pause(&self, attempt: u32) {
        let env = &self.repository.env;
        env.sleep(env.random_up_to(Duration::from_millis(2 << attempt.min(7)))).await;
    }

    async fn attempt(
        &self,
        mut root: AggregateRoot<A>,
        command: A::Command,
    ) -> Result<Handled<A>, HandleError<A::Error>> {
        root.set_metadata(self.metadata_of_events(&root));
        root.set_command_id(self.command_id.clone());
        let refused = match root.execute(command) {
            Ok(()) if root.uncommitted().is_empty() => None,
            Ok(()) => return self.append(root).await.map_err(HandleError::Store),
            Err(refused) => Some(refused),
        };
        // The aggregate may do nothing because the command was handled before.
        if let Some(event) = self.first_event_of_command(&root).await.map_err(HandleError::Store)? {
            return self.handled_before(root, &event).await.map_err(HandleError::Store);
        }
        match refused {
            Some(refused) => Err(refused),
            None => Ok(handled(root, None, 0)),
        }
    }

    async fn append(&self, mut root: AggregateRoot<A>) -> Result<Handled<A>, Error> {
        let events = root.uncommitted().len();
        let error = match self.append_once(&mut root).await {
            Ok(position) => return Ok(handled(root, position, events)),
            Err(error) => error,
        };
        if error.kind() != ErrorKind::Unknown {
            return self.settle(root, error).await;
        }
        self.pause(3).await;
        let again = match self.append_once(&mut root).await {
            Ok(position) => return Ok(handled(root, position, events)),
            Err(again) => self.settle(root, again).await,
        };
        // Whatever keeps the second call from finding out, it is not known what became of the first one.
        match again {
            Ok(handled) => Ok(Handled { was_handled_before: false, ..handled }),
            Err(_) => Err(error.retryable(self.command_id.is_some())),
        }
    }

    async fn append_once(&self, root: &mut AggregateRoot<A>) -> Result<Option<Position>, Error> {
        let appended = match self.command_id {
            // Whoever has handled the command before may have decided something else under its id.
            Some(_) => Some(self.repository.append_once(root).await?),
            None => self.repository.append_uncommitted(root).await?,
        };
        Ok(appended.map(|appended| appended.position))
    }

    /// What became of the command, where the store refuses its events because it has them already.
    async fn settle(&self, root: AggregateRoot<A>, error: Error) -> Result<Handled<A>, Error> {
        if !matches!(error.kind(), ErrorKind::Duplicate | ErrorKind::Conflict) {
            return Err(error);
        }
        match self.first_event_of_command(&root).await? {
            Some(event) => self.handled_before(root, &event).await,
            None => Err(error),
        }
    }

    fn metadata_of_events(&self, root: &AggregateRoot<A>) -> Metadata {
        let mut metadata = self.metadata.clone();
        if metadata.correlation_id.is_none() {
            metadata.correlation_id = Some(self.command_id.clone().unwrap_or_else(|| root.env().new_id()));
        }
        metadata
    }

    async fn first_event_of_command(&self, root: &AggregateRoot<A>) -> Result<Option<StoredEvent>, Error> {
        let Some(command_id) = &self.command_id else { return Ok(None) };
        let first = id_of_event(command_id, root.stream(), 0);
        self.repository.store.find_event(root.stream(), &first).await
    }

    /// What became of the command when it was handled before; `first` is the first of its events.
    async fn handled_before(&self, root: AggregateRoot<A>, first: &StoredEvent) -> Result<Handled<A>, Error> {
        let stream = root.stream().clone();
        let (mut last, mut events) = (first.clone(), 0);
        let is_next = |event: &StoredEvent, index| match &self.command_id {
            Some(command_id) => event.head().event_id == id_of_event(command_id, &stream, index),
            None => false,
        };
        // The events of a command are stored together, so they are behind each other.
        'pages: loop {
            let read = ReadStream::forward().from(first.sequence() + events as u64).limit(PAGE);
            let page = self.repository.store.read_stream(&stream, read).await?;
            let pages_end = page.len() < PAGE;
            for event in page {
                if !is_next(&event, events) {
                    break 'pages;
                }
                (last, events) = (event, events + 1);
            }
            if pages_end {
                break;
            }
        }
        let root = self.repository.load_stream(stream).await?;
        let position = Some(last.position().clone());
        Ok(Handled { was_handled_before: true, ..handled(root, position, events) })
    }
}

fn handled<A: Aggregate>(root: AggregateRoot<A>, position: Option<Position>, events: usize) -> Handled<A> {
    let sequence = root.sequence();
    Handled { state: root.into_state(), sequence, position, events, was_handled_before: false }
}
