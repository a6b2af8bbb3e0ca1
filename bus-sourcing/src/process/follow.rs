//! Following an event store.

mod poison;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney_core::error_chain;
use jitney_core::event::OneOf;
use jitney_core::middleware::RetryPolicy;
use tokio::time::Instant;

use self::poison::{Poison, is_refused};
use super::engine::{Engine, key_of, read_input};
use super::numbers::{count_failed, count_input};
use super::parked::{describe, payload};
use super::runner::Settings;
use super::running::Stop;
use super::work::Work;
use super::{CheckpointMove, Handling, ParkedInput, ProcessManager, RunnerStatus};
use crate::{Error, ErrorKind, EventStore, Filter, Page, Position, StoredEvent};

/// The longest pause before an event is tried again that could not be handled.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Takes the inputs of a process manager from an event store.
pub(super) struct Following<P> {
    engine: Engine<P>,
    events: Arc<dyn EventStore>,
    filter: Filter,
    /// Event and aggregate type of the inputs: another aggregate may have an event of the same name.
    types: HashSet<(&'static str, &'static str)>,
    settings: Settings,
    owner: String,
    status: Arc<Mutex<RunnerStatus>>,
    /// Whether the store may think that this one follows.
    may_follow: bool,
    held: Option<Held>,
}

/// The right to follow.
struct Held {
    position: Position,
    renew_at: Instant,
}

/// What came of a turn.
#[derive(Debug)]
pub(super) enum Turn {
    /// There may be more.
    Moved,
    /// The steps are to be made anew: somebody else was faster, or the answer was lost.
    Again(Error),
    /// There is nothing more at the moment.
    AtEnd,
    /// Another runner follows.
    Standby,
    /// The next event cannot be handled, which is to be decided by people.
    Stopped(Error),
    /// A newer version of the program has written the process of the next event, and is let follow.
    Outdated(Error),
}

impl<P: ProcessManager> Following<P> {
    pub(super) fn new(
        engine: Engine<P>,
        events: Arc<dyn EventStore>,
        settings: Settings,
        status: Arc<Mutex<RunnerStatus>>,
    ) -> Self {
        let types = P::Input::types();
        let sorted = |mut names: Vec<&'static str>| {
            names.sort_unstable();
            names.dedup();
            names
        };
        let filter = Filter::all()
            .aggregate_types(sorted(types.iter().map(|known| known.aggregate()).collect()))
            .event_types(sorted(types.iter().map(|known| known.name()).collect()));
        let types = types.iter().map(|known| (known.name(), known.aggregate())).collect();
        let owner = engine.env.new_id().to_string();
        Following { engine, events, filter, types, settings, owner, status, may_follow: false, held: None }
    }

    /// Follows until `stop`.
    pub(super) async fn run(mut self, mut stop: Stop) -> Result<(), Error> {
        let mut failed = 0;
        loop {
            // A turn is never cut short: what it has stored is then known.
            let turn = self.turn().await;
            let has_failed =
                matches!(turn, Err(_) | Ok(Turn::Stopped(_) | Turn::Outdated(_) | Turn::Again(_)));
            failed = if has_failed { failed + 1 } else { 0 };
            let pause = match turn {
                Ok(Turn::Moved) => Duration::ZERO,
                Ok(Turn::Again(error)) => self.again(&error, failed),
                Ok(Turn::AtEnd) => self.settings.poll.min(self.settings.lease / 3),
                Ok(Turn::Standby) => self.settings.poll.min(self.settings.lease / 3),
                Ok(Turn::Stopped(_) | Turn::Outdated(_)) => (self.settings.poll * failed).min(LONGEST_PAUSE),
                Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
                Err(error) => {
                    self.held = None;
                    let error = error_chain(&error);
                    tracing::warn!(
                        process = P::NAME,
                        error,
                        "following the event store failed and is tried again"
                    );
                    RetryPolicy::default().delay(&self.engine.env, failed)
                }
            };
            let wait = async {
                match &self.held {
                    // Not to get an answer is no news: the next turn learns why.
                    Some(held) if failed == 0 && !pause.is_zero() => {
                        drop(self.events.wait(&held.position, pause).await);
                    }
                    _ => self.engine.env.sleep(pause).await,
                }
            };
            tokio::select! {
                biased;
                () = stop.wait() => break,
                () = wait => {}
            }
        }
        self.release().await
    }

    /// Where the newest event is that is stored by now.
    pub(super) async fn end(&self) -> Result<Position, Error> {
        self.events.end().await
    }

    /// Whether everything up to `target` was handled.
    pub(super) fn has_reached(&self, target: &Position) -> bool {
        self.held.as_ref().is_some_and(|held| held.position.has_reached(target))
    }

    /// Waits for news, for no longer than `at_most`.
    pub(super) async fn wait(&self, at_most: Duration) -> Result<(), Error> {
        match &self.held {
            Some(held) => self.events.wait(&held.position, at_most).await,
            None => Ok(()),
        }
    }

    /// Lets others follow.
    pub(super) async fn release(&mut self) -> Result<(), Error> {
        self.held = None;
        match std::mem::take(&mut self.may_follow) {
            true => self.engine.store.release_feed(P::NAME, &self.owner).await,
            false => Ok(()),
        }
    }

    /// Handles the next events.
    pub(super) async fn turn(&mut self) -> Result<Turn, Error> {
        let turn = self.make_turn().await;
        match &turn {
            Err(error) if error.kind() != ErrorKind::Closed => {
                count_failed(P::NAME);
                self.tell(Some(error_chain(error)));
            }
            Ok(Turn::Standby) => self.tell(None),
            _ => {}
        }
        turn
    }

    async fn make_turn(&mut self) -> Result<Turn, Error> {
        let Some(from) = self.claim().await? else { return Ok(Turn::Standby) };
        let mut page = self.events.read_all(&from, &self.filter, self.settings.batch).await?;
        let mut stored = self.store_page(from.clone(), &page).await;
        if stored.as_ref().is_err_and(|error| error.kind() == ErrorKind::Forgotten) {
            // Since the events were read; they are erased by now.
            page = self.events.read_all(&from, &self.filter, self.settings.batch).await?;
            stored = self.store_page(from, &page).await;
        }
        if stored.as_ref().is_err_and(is_refused) {
            stored = self.store_each(&page).await;
        }
        match stored {
            // Somebody else has made a step of one of the processes, or follows now: begin again from what is stored.
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Unknown) => {
                self.held = None;
                Ok(Turn::Again(error))
            }
            stored => stored,
        }
    }

    /// How long to wait before the steps are made anew, for the `failed`th time. Once is nothing special.
    pub(super) fn again(&self, error: &Error, failed: u32) -> Duration {
        let chain = error_chain(error);
        if failed > 1 {
            count_failed(P::NAME);
            tracing::warn!(process = P::NAME, error = chain, failed, "making the steps anew, once more");
            self.tell(Some(format!("making the steps anew, for the {failed}. time: {chain}")));
        } else {
            tracing::debug!(process = P::NAME, error = chain, "making the steps anew");
        }
        RetryPolicy::default().delay(&self.engine.env, failed)
    }

    async fn claim(&mut self) -> Result<Option<Position>, Error> {
        let now = self.engine.env.instant();
        if let Some(held) = &self.held
            && now < held.renew_at
        {
            return Ok(Some(held.position.clone()));
        }
        let lease = self.settings.lease;
        let time = self.engine.env.now();
        let until = time.checked_add(lease).unwrap_or(time);
        self.may_follow = true;
        let position = self.engine.store.claim_feed(P::NAME, &self.owner, time, until).await?;
        self.may_follow = position.is_some();
        self.held = position.clone().map(|position| Held { position, renew_at: now + lease / 3 });
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.follows = position.is_some();
        status.position.clone_from(&position);
        Ok(position)
    }

    /// Handles `page` up to its end, or to the first event that cannot be handled.
    async fn store_page(&mut self, from: Position, page: &Page) -> Result<Turn, Error> {
        let events = page.events.iter().filter(|event| {
            let head = event.head();
            self.types
                .iter()
                .any(|(name, aggregate)| *name == head.event_type && *aggregate == head.aggregate_type)
        });
        let mut inputs = Vec::with_capacity(page.events.len());
        let mut poison = None;
        for event in events {
            let keyed = read::<P>(event).and_then(|input| Ok((key_of::<P>(event.head(), &input)?, input)));
            match keyed {
                Ok((key, input)) => inputs.extend(key.map(|key| (key, input, event))),
                Err(error) => {
                    poison = Some(Poison { event, error });
                    break;
                }
            }
        }
        let marks: Vec<_> =
            inputs.iter().map(|(key, _, event)| (key.clone(), event.head().event_id.clone())).collect();
        let loaded = if marks.is_empty() { None } else { Some(self.engine.load(&marks).await?) };
        let mut work = Work::new(P::NAME, loaded.unwrap_or_default());
        let mut handled: Vec<Handling> = Vec::with_capacity(inputs.len());
        for (key, input, event) in inputs {
            match work.handle::<P>(&key, event.head(), input, self.engine.env.now()) {
                Ok(handling) => handled.push(handling),
                Err(error) => {
                    poison = Some(Poison { event, error });
                    break;
                }
            }
        }
        let to = match &poison {
            None => page.position.clone(),
            Some(poison) => before(poison.event, &page.events).unwrap_or_else(|| from.clone()),
        };
        self.store(from, to.clone(), work, Vec::new()).await?;
        handled.into_iter().for_each(|handling| count_input(P::NAME, handling));
        match poison {
            Some(Poison { event, error }) if error.kind() == ErrorKind::NewerSchema => {
                self.stand_back(event, error).await
            }
            Some(poison) => self.decide(to, poison).await,
            None => {
                self.tell(None);
                Ok(if page.at_end { Turn::AtEnd } else { Turn::Moved })
            }
        }
    }

    /// Stores `work` with the checkpoint, where there is something to store.
    async fn store(
        &mut self,
        from: Position,
        to: Position,
        work: Work,
        parked: Vec<ParkedInput>,
    ) -> Result<(), Error> {
        if from == to && work.is_empty() {
            return Ok(());
        }
        let owner = self.owner.clone();
        let checkpoint = CheckpointMove { owner, from, to: to.clone() };
        self.engine.commit(work.into_commit(parked, Some(checkpoint))).await?;
        self.status.lock().unwrap_or_else(PoisonError::into_inner).position = Some(to.clone());
        if let Some(held) = &mut self.held {
            held.position = to;
        }
        Ok(())
    }

    fn tell(&self, failure: Option<String>) {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).failure = failure;
    }
}

fn read<P: ProcessManager>(event: &StoredEvent) -> Result<P::Input, Error> {
    event.unopened().map_or(Ok(()), Err)?;
    read_input::<P>(&describe(event), &payload(event))
}

/// The position of the event before `event` in `events`.
fn before(event: &StoredEvent, events: &[StoredEvent]) -> Option<Position> {
    let index = events.iter().position(|other| std::ptr::eq(other, event))?;
    index.checked_sub(1).map(|index| events[index].position().clone())
}
