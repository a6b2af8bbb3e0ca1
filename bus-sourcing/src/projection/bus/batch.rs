//! Several events of a bus in one transaction; one by one where not all of them can be handled.

use std::collections::HashSet;
use std::time::Duration;

use jitney_core::handler::{HandlerError, Outcome, Verdict};
use tokio::time::Instant;

use super::feed::Core;
use super::handler::{count, is_permanent, refusal_of_commit};
use super::{BusReadModel, BusTransaction, Mark, OnBusFailure, Received};
use crate::projection::{Projecting, Projection, ReadModel, ReadModelTransaction, panics};
use crate::{Error, StoredEvent};

/// Behind what it waits for, an event comes again at once.
const AT_ONCE: Duration = Duration::from_millis(1);

/// So much earlier than the handler's time limit a batch ends, or a tenth of it: whoever called is to hear which event it was.
const MARGIN: Duration = Duration::from_secs(1);

const CUT_SHORT: &str = "it took longer than the handler's time limit, of which a batch keeps a tenth, or a second, for itself; give \
                         the handler more with `timeout`";

impl<P: Projection, M: BusReadModel + ReadModel<Connection = P::Connection>> Core<P, M> {
    /// Handles `events`, which have been tried `attempt - 1` times, in a little less than `limit`, behind which whoever
    /// called would count it as an attempt of all of them: an outcome for each.
    pub(super) async fn handle_all(
        &self,
        events: &[StoredEvent],
        attempt: u32,
        limit: Duration,
    ) -> Vec<Outcome> {
        let env = &self.settings.env;
        let end = env.instant() + (limit - (limit / 10).min(MARGIN));
        // What has failed, or was cut short, is not tried at once again.
        if attempt > 1 {
            return self.handle_each(events, end, limit).await;
        }
        match env.timeout_at(end, self.take_all(events)).await {
            Ok(Ok(true)) => events.iter().map(|_| Outcome::ack()).collect(),
            Ok(Ok(false)) => self.handle_each(events, end, limit).await,
            // The first one that it is about stops the projection.
            Ok(Err(error)) if is_permanent(&error) => self.handle_each(events, end, limit).await,
            Ok(Err(error)) => {
                let first = self.wait_out(error);
                let rest = events.iter().skip(1).map(|_| self.later());
                std::iter::once(first).chain(rest).collect()
            }
            // One of them takes too long, or all do: each is tried by itself.
            Err(_) => events.iter().map(|_| Outcome::retry_after(AT_ONCE)).collect(),
        }
    }

    /// Handles one behind the other, until `end`. Where one is to be tried again, what is behind it in its stream waits for it. One
    /// that is cut short at the end has failed where it had the half of `limit`, and comes behind the other streams next time;
    /// what is not come to has not been tried.
    async fn handle_each(&self, events: &[StoredEvent], end: Instant, limit: Duration) -> Vec<Outcome> {
        let env = &self.settings.env;
        let streams: Vec<_> = events.iter().map(StoredEvent::stream).collect();
        let all = || events.iter().zip(&streams);
        let slow = all().filter(|(event, _)| self.cut_short.has(&event.head().event_id));
        let slow: HashSet<_> = slow.map(|(_, stream)| stream).collect();
        let (last, first): (Vec<_>, Vec<_>) =
            (0..events.len()).partition(|index| slow.contains(&streams[*index]));
        let mut outcomes: Vec<_> = all().map(|_| None).collect();
        let (mut waiting, mut pause) = (HashSet::new(), AT_ONCE);
        for index in first.into_iter().chain(last) {
            let (event, stream) = (&events[index], &streams[index]);
            if waiting.contains(stream) {
                continue;
            }
            let (id, left) = (&event.head().event_id, end.saturating_duration_since(env.instant()));
            let Ok(outcome) = env.timeout(left, self.handle(event)).await else {
                self.cut_short.begin(id);
                if left >= limit / 2 {
                    outcomes[index] = Some(Verdict::Failed(HandlerError::retryable(CUT_SHORT)).into());
                } else {
                    self.attempts.take_back(id);
                }
                break;
            };
            self.cut_short.forget(id);
            let verdict = outcome.verdict();
            let is_held = matches!(verdict, Verdict::RetryAfter(_));
            if matches!(verdict, Verdict::Failed(error) if error.is_retryable()) {
                waiting.insert(stream);
            }
            outcomes[index] = Some(outcome);
            // The projection handles nothing now.
            if is_held {
                pause = self.pause();
                break;
            }
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Outcome::retry_after(pause))).collect()
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
