//! One run of one check: names of its own, a recorder, and what it observed.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney_core::admin::TopicSpec;
use jitney_core::message::Outbound;
use jitney_core::transport::{Interest, Published, Start, Subscription, Transport};
use jitney_core::{Capabilities, Env, ErrorKind};

use super::content;
use super::failure::{Failure, Outcome, ensure};
use super::fixture::Fixture;
use super::member::Member;
use crate::history::{EventRef, Expectations, PublishOutcome, Recorder, Summary};

pub(super) struct Trial<'f> {
    pub(super) fixture: &'f dyn Fixture,
    pub(super) capabilities: Capabilities,
    pub(super) env: Env,
    pub(super) recorder: Recorder,
    prefix: String,
    names: AtomicU64,
    random: Mutex<fastrand::Rng>,
    facts: Mutex<BTreeMap<&'static str, String>>,
    skipped: Mutex<Option<&'static str>>,
}

impl<'f> Trial<'f> {
    pub(super) fn new(fixture: &'f dyn Fixture, capabilities: Capabilities, name: &'static str) -> Self {
        let env = fixture.env();
        Trial {
            fixture,
            capabilities,
            recorder: Recorder::new(name, env.clone()),
            prefix: format!("{}-{}", fixture.prefix(), name.replace('_', "-")),
            names: AtomicU64::new(0),
            random: Mutex::new(fastrand::Rng::with_seed(fixture.seed())),
            facts: Mutex::default(),
            skipped: Mutex::default(),
            env,
        }
    }

    pub(super) async fn transport(&self) -> Outcome<Arc<dyn Transport>> {
        Ok(self.fixture.transport().await?)
    }

    /// A name that nobody else has.
    pub(super) fn name(&self, kind: &str) -> String {
        format!("{}-{}", self.prefix, self.short_name(kind))
    }

    /// A name that nobody else in this check has.
    pub(super) fn short_name(&self, kind: &str) -> String {
        format!("{kind}{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// A new topic, created where the backend creates topics.
    pub(super) async fn topic(&self, transport: &dyn Transport) -> Outcome<String> {
        let name = self.name("topic");
        if let Some(admin) = transport.admin() {
            match admin.ensure_topics(&[TopicSpec::new(name.as_str())]).await {
                Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error.into()),
                _ => {}
            }
        }
        Ok(name)
    }

    /// A number below `bound`, from the fixture's seed.
    pub(super) fn random(&self, bound: usize) -> usize {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).usize(..bound)
    }

    pub(super) fn shuffle<T>(&self, items: &mut [T]) {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).shuffle(items);
    }

    /// Notes a fact that any backend of these semantics observes alike.
    pub(super) fn observe(&self, fact: &'static str, value: impl Display) {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).insert(fact, value.to_string());
    }

    /// Notes that the backend has no such thing, as only asking could show. The check then ends with success.
    pub(super) fn skip(&self, reason: &'static str) {
        *self.skipped.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    pub(super) fn skipped(&self) -> Option<&'static str> {
        *self.skipped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn facts(&self) -> BTreeMap<&'static str, String> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for something that must come.
    pub(super) async fn wait<F: Future>(&self, what: &str, future: F) -> Outcome<F::Output> {
        let patience = self.fixture.patience();
        let waited = self.env.timeout(patience, future).await;
        waited.map_err(|_| Failure(format!("waited {patience:?} in vain for {what}")))
    }

    /// Where a group begins that must get everything that is published after it joined.
    pub(super) fn beginning(&self) -> Start {
        if self.capabilities.backlog { Start::Earliest } else { Start::Latest }
    }

    /// The wish of `group` to compete for `topics` from the beginning.
    pub(super) fn subscription(&self, group: &str, topics: &[&str]) -> Subscription {
        let interest = |topic: &&str| Interest::all(*topic);
        let mut subscription = Subscription::new(group, topics.iter().map(interest).collect());
        subscription.service = content::SERVICE.to_owned();
        subscription.start = self.beginning();
        subscription.prefetch = 1_000;
        subscription
    }

    /// A member of `group` that competes for `topics` from the beginning.
    pub(super) async fn join(
        &self,
        transport: &Arc<dyn Transport>,
        group: &str,
        topics: &[&str],
    ) -> Outcome<Member> {
        Member::join(self, transport, self.subscription(group, topics)).await
    }

    /// Events `1..=count` of `keys` keys of `topic`, in turn.
    pub(super) fn events(&self, topic: &str, keys: usize, count: usize) -> Vec<EventRef> {
        let event = |n: usize| EventRef::new(topic, format!("key-{}", n % keys), (n / keys) as u64 + 1);
        (0..count).map(event).collect()
    }

    pub(super) fn message(&self, transport: &dyn Transport, event: &EventRef) -> Outcome<Outbound> {
        content::encode(&*transport.codec(), &self.env, event, 0)
    }

    /// Publishes in batches of a hundred and records the answers, whatever they are.
    pub(super) async fn try_publish(
        &self,
        transport: &dyn Transport,
        events: &[EventRef],
    ) -> Outcome<Vec<Published>> {
        let mut answers = Vec::with_capacity(events.len());
        for chunk in events.chunks(100) {
            let messages: Outcome<Vec<_>> =
                chunk.iter().map(|event| self.message(transport, event)).collect();
            chunk.iter().for_each(|event| self.recorder.publishing(event));
            let outcomes = self.wait("the outcomes of a publish", transport.publish(messages?)).await?;
            ensure!(
                outcomes.len() == chunk.len(),
                "{} messages got {} outcomes",
                chunk.len(),
                outcomes.len()
            );
            for (event, outcome) in chunk.iter().zip(&outcomes) {
                self.recorder.published(event, summarize(outcome));
            }
            answers.extend(outcomes);
        }
        Ok(answers)
    }

    /// Publishes and wants everything to be acked.
    pub(super) async fn publish(&self, transport: &dyn Transport, events: &[EventRef]) -> Outcome {
        for outcome in self.try_publish(transport, events).await? {
            outcome.into_result()?;
        }
        Ok(())
    }

    pub(super) fn expectations(&self) -> Expectations {
        self.fixture.expectations(&self.capabilities)
    }

    /// Holds everything recorded so far against `expectations`.
    pub(super) fn judge(&self, expectations: &Expectations) -> Outcome<Summary> {
        let summary = self.judge_any(expectations)?;
        self.observe("delivered", summary.delivered);
        Ok(summary)
    }

    /// The same where it is left to chance how many events come.
    pub(super) fn judge_any(&self, expectations: &Expectations) -> Outcome<Summary> {
        self.recorder.history().check(expectations).map_err(|story| Failure(story.to_string()))
    }

    /// Waits this long before it is believed that nothing more will come.
    pub(super) fn quiet(&self) -> Duration {
        self.fixture.quiet()
    }
}

pub(super) fn summarize(outcome: &Published) -> PublishOutcome {
    match outcome {
        Published::Acked => PublishOutcome::Acked,
        Published::Rejected(_) => PublishOutcome::Rejected,
        Published::Unknown(_) => PublishOutcome::Unknown,
    }
}
