//! One event of a bus: marked and applied in one transaction, and what becomes of it where that fails.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jitney_core::handler::{Context, Handler, HandlerError, Outcome, Reply, Verdict};
use jitney_core::{RawEvent, error_chain};

use super::feed::Core;
use super::{BusReadModel, BusTransaction, Mark, OnBusFailure, Received};
use crate::projection::step::is_refusal;
use crate::projection::{
    PoisonEvent, Projecting, Projection, ReadModel, ReadModelTransaction, ShardLease, Stopped, panics,
};
use crate::{Error, ErrorKind, Position, StoredEvent};

/// The handler of a projection.
pub(super) struct Feed<P, M>(pub(super) Arc<Core<P, M>>);

impl<P: Projection, M: BusReadModel + ReadModel<Connection = P::Connection>> Handler for Feed<P, M> {
    fn handle<'a>(&'a self, cx: Context<'a>) -> BoxFuture<'a, Reply> {
        let stored =
            |raw: &RawEvent| StoredEvent::new(raw.shared_head(), raw.payload_bytes(), Position::START);
        match cx.events() {
            [raw] => {
                let event = stored(raw);
                async move { Reply::All(self.0.handle(&event).await) }.boxed()
            }
            several => {
                let events: Vec<_> = several.iter().map(stored).collect();
                let (attempt, limit) = (cx.attempt(), cx.time_limit());
                async move { Reply::Each(self.0.handle_all(&events, attempt, limit).await) }.boxed()
            }
        }
    }
}

/// What became of an event in a transaction.
enum Taken {
    /// It is handled, now or before.
    Done,
    /// The projection handles nothing now.
    Closed,
    /// It cannot be handled: nothing was done.
    Refused(HandlerError),
}

impl<P: Projection, M: BusReadModel + ReadModel<Connection = P::Connection>> Core<P, M> {
    pub(super) async fn handle(&self, event: &StoredEvent) -> Outcome {
        if !self.filter.is_for(&event.head().aggregate_type, &event.head().event_type) {
            return Outcome::ack();
        }
        if !Mark::can_be_kept(event.head()) {
            let what = "the event cannot be marked as handled: its id, or the type and id of its aggregate, has a zero character, or \
                        more than 2,000 bytes";
            return Verdict::Failed(HandlerError::permanent(what)).into();
        }
        let (id, stops) = (&event.head().event_id, self.settings.on_failure == OnBusFailure::Stop);
        let attempt = if stops { self.attempts.begin(id) } else { 1 };
        let most = self.settings.retry.attempts;
        let taken = match stops && attempt > most {
            // Nobody was left to say that the last attempt has failed.
            true => Ok(Taken::Refused(HandlerError::permanent(
                "every attempt was cut short, as by the handler's time limit",
            ))),
            false => self.take(event).await,
        };
        let outcome = match taken {
            Ok(Taken::Done) => Ok(Outcome::ack()),
            Ok(Taken::Closed) => Ok(self.later()),
            Ok(Taken::Refused(error)) if !stops => Ok(Verdict::Failed(error).into()),
            Ok(Taken::Refused(error)) if error.is_retryable() && attempt < most => {
                return Verdict::Failed(error).into();
            }
            Ok(Taken::Refused(error)) => self.stop_at(event, error, attempt.min(most)).await,
            // No fault of the event: what is wrong is to be mended, and no event is given up for it.
            Err(error) if is_permanent(&error) => {
                self.stop_at(event, HandlerError::permanent(error), attempt.min(most)).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(outcome) => {
                if stops {
                    self.attempts.forget(id);
                }
                outcome
            }
            Err(error) => {
                if stops {
                    self.attempts.take_back(id);
                }
                self.wait_out(error)
            }
        }
    }

    /// Marks the event, and applies it where it is new.
    async fn take(&self, event: &StoredEvent) -> Result<Taken, Error> {
        let Core { model, projection, build, settings, .. } = self;
        let mark = Mark::of(event.head());
        let mut transaction = self.answered("begin", model.begin(build, settings.lease)).await?;
        match self.answered("mark an event", transaction.receive(&mark, settings.any_order)).await? {
            Received::New => {}
            Received::Repeated => {
                count("jitney_projection_repeated_total", projection, 1);
                return Ok(Taken::Done);
            }
            Received::Closed => return Ok(Taken::Closed),
            Received::Overtaken if settings.any_order => {}
            Received::Overtaken => {
                let what = format!(
                    "event {} of stream {} has come behind later ones, which are handled; keep the events of a stream in one \
                     partition, by their aggregate's id as the key, or let `any_order` say that their order is all the same",
                    event.sequence(),
                    event.stream(),
                );
                return Ok(Taken::Refused(HandlerError::permanent(what)));
            }
        }
        let events = std::slice::from_ref(event);
        let mut at = Projecting::new(transaction.connection(), true);
        if let Err(error) = panics::apply(projection, events, &mut at).await {
            return Ok(Taken::Refused(error));
        }
        match self.answered("commit", transaction.commit()).await.map_err(refusal_of_commit) {
            Ok(()) => {}
            Err(Ok(refusal)) => return Ok(Taken::Refused(refusal)),
            Err(Err(error)) => return Err(error),
        }
        count("jitney_projection_events_total", projection, 1);
        panics::tell(projection, events).await;
        Ok(Taken::Done)
    }

    /// What the read model's database answers, while it does.
    pub(super) async fn answered<T>(
        &self,
        to: &str,
        asked: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let (limit, name) = (self.settings.answer_within, self.projection.name());
        self.settings.env.timeout(limit, asked).await.unwrap_or_else(|_| {
            let what =
                format!("asking the database of projection `{name}` to {to}: no answer within {limit:?}");
            Err(Error::new(ErrorKind::Store, what).retryable(true))
        })
    }

    /// Passes an event that is to be skipped, or has the projection stop at it. The event is kept, and comes again.
    async fn stop_at(
        &self,
        event: &StoredEvent,
        error: HandlerError,
        attempts: u32,
    ) -> Result<Outcome, Error> {
        let Core { model, projection, build, settings, .. } = self;
        let name = projection.name();
        let mut poison = PoisonEvent::new(event, &error, attempts, &settings.env);
        if model.is_skipped(build, &poison.event_id).await? {
            match self.pass(event, &poison).await {
                Err(error) if is_permanent(&error) => {
                    poison =
                        PoisonEvent::new(event, &HandlerError::permanent(error), attempts, &settings.env);
                }
                passed => return passed,
            }
        }
        tracing::error!(projection = name, event = %poison, "the projection has stopped; mend it and resume it, or skip the event");
        count("jitney_projection_stopped_total", projection, 1);
        let lease = ShardLease { shard: 0, epoch: 0, position: Position::START, stopped: None };
        model.stop(build, &lease, &Stopped::At(poison)).await?;
        Ok(self.later())
    }

    /// Marks an event as handled that is not: somebody has decided so, and it is recorded.
    async fn pass(&self, event: &StoredEvent, poison: &PoisonEvent) -> Result<Outcome, Error> {
        let Core { model, projection, build, settings, .. } = self;
        let mut transaction = self.answered("begin", model.begin(build, settings.lease)).await?;
        match self.answered("mark an event", transaction.receive(&Mark::of(event.head()), true)).await? {
            Received::Closed => return Ok(self.later()),
            Received::Repeated => return Ok(Outcome::ack()),
            Received::New | Received::Overtaken => self.answered("commit", transaction.commit()).await?,
        }
        let name = projection.name();
        tracing::error!(projection = name, event = %poison, how = "skipped", "the projection has passed an event");
        count("jitney_projection_passed_total", projection, 1);
        Ok(Outcome::ack())
    }

    /// The read model has not answered, which is no fault of the event: it comes again.
    pub(super) fn wait_out(&self, error: Error) -> Outcome {
        if error.kind() == ErrorKind::Closed {
            // Left as it is.
            return Verdict::Failed(HandlerError::retryable(jitney_core::Error::from(error))).into();
        }
        let (projection, error) = (self.projection.name(), error_chain(&error));
        tracing::warn!(projection, error, "keeping a projection up failed and is tried again");
        self.later()
    }

    pub(super) fn later(&self) -> Outcome {
        Outcome::retry_after(self.pause())
    }

    pub(super) fn pause(&self) -> Duration {
        self.settings.poll.max(Duration::from_millis(1))
    }
}

/// Whether asking the database again would change nothing.
pub(super) fn is_permanent(error: &Error) -> bool {
    !error.is_retryable() && error.kind() != ErrorKind::Closed
}

/// What was applied and cannot be committed, however often it is tried, such as behind a constraint that is checked at the end; or
/// an error of the database.
pub(super) fn refusal_of_commit(error: Error) -> Result<HandlerError, Error> {
    if is_refusal(&error) { Ok(HandlerError::permanent(error)) } else { Err(error) }
}

pub(super) fn count(metric: &'static str, projection: &impl Projection, events: u64) {
    metrics::counter!(metric, "projection" => projection.name().to_owned()).increment(events);
}
