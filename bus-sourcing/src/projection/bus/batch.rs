//! Several events of a bus in one transaction; one by one where not all of them can be handled.

use std::collections::HashSet;
use std::time::Duration;

use jitney_core::handler::{Outcome, Verdict};

use super::feed::Core;
use super::handler::{count, refusal_of_commit};
use super::{BusReadModel, BusTransaction, Mark, OnBusFailure, Received};
use crate::projection::{Projecting, Projection, ReadModel, ReadModelTransaction, panics};
use crate::{Error, StoredEvent};

/// Behind what it waits for, an event comes again at once.
const AT_ONCE: Duration = Duration::from_millis(1);

impl<P: Projection, M: BusReadModel + ReadModel<Connection = P::Connection>> Core<P, M> {
    /// Handles `events`, which have been tried `attempt - 1` times: an outcome for each.
    pub(super) async fn handle_all(&self, events: &[StoredEvent], attempt: u32) -> Vec<Outcome> {
        // What has failed, or was cut short, is not tried at once again.
        let all = if attempt > 1 { Ok(false) } else { self.take_all(events).await };
        match all {
            Ok(true) => events.iter().map(|_| Outcome::ack()).collect(),
            Ok(false) => self.handle_each(events).await,
            Err(error) => {
                let first = self.wait_out(error);
                let rest = events.iter().skip(1).map(|_| self.later());
                std::iter::once(first).chain(rest).collect()
            }
        }
    }

    /// Handles one behind the other. Where one is to be tried again, what is behind it in its stream waits for it.
    async fn handle_each(&self, events: &[StoredEvent]) -> Vec<Outcome> {
        let (mut outcomes, mut waiting) = (Vec::with_capacity(events.len()), HashSet::new());
        let mut is_held = false;
        for event in events {
            let stream = event.stream();
            let outcome = match (is_held, waiting.contains(&stream)) {
                (true, _) => self.later(),
                (false, true) => Outcome::retry_after(AT_ONCE),
                (false, false) => self.handle(event).await,
            };
            match outcome.verdict() {
                // The projection handles nothing now.
                Verdict::RetryAfter(_) if !waiting.contains(&stream) => is_held = true,
                Verdict::Failed(error) if error.is_retryable() => drop(waiting.insert(stream)),
                _ => {}
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Whether `events` are handled, all in one transaction. Where one of them is not to be, nothing is done.
    async fn take_all(&self, events: &[StoredEvent]) -> Result<bool, Error> {
        let Core { model, projection, build, settings, .. } = self;
        let is_for =
            |event: &&StoredEvent| self.filter.is_for(&event.head().aggregate_type, &event.head().event_type);
        if !events.iter().all(|event| Mark::can_be_kept(event.head())) {
            return Ok(false);
        }
        let mut transaction = self.answered("begin", model.begin(build, settings.lease)).await?;
        let (mut new, mut repeated) = (Vec::with_capacity(events.len()), 0);
        for event in events.iter().filter(is_for) {
            let mark = Mark::of(event.head());
            match self.answered("mark an event", transaction.receive(&mark, settings.any_order)).await? {
                Received::New => new.push(event.clone()),
                Received::Overtaken if settings.any_order => new.push(event.clone()),
                Received::Repeated => repeated += 1,
                Received::Overtaken | Received::Closed => return Ok(false),
            }
        }
        if !new.is_empty() {
            let mut at = Projecting::new(transaction.connection(), true);
            if panics::apply(projection, &new, &mut at).await.is_err() {
                return Ok(false);
            }
            match self.answered("commit", transaction.commit()).await.map_err(refusal_of_commit) {
                Ok(()) => {}
                Err(Ok(_)) => return Ok(false),
                Err(Err(error)) => return Err(error),
            }
            panics::tell(projection, &new).await;
        }
        count("jitney_projection_repeated_total", projection, repeated);
        count("jitney_projection_events_total", projection, new.len() as u64);
        if settings.on_failure == OnBusFailure::Stop {
            events.iter().for_each(|event| self.attempts.forget(&event.head().event_id));
        }
        Ok(true)
    }
}
