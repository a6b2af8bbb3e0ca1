//! Publishing: messages are handed to librdkafka in the order of the calls, and each call waits for its own answers.
//!
//! A call costs one entry in a table and one wake-up, however many messages it has: the table counts answers down. A future
//! for each message would cost more than sending it.
//!
//! A topic's `max.message.bytes` bounds batches, and the cluster refuses a batch that is too large with every message in it.
//! What was refused so is sent again, each message in a batch of its own, so that each is judged for itself; it may then be
//! stored behind messages of later calls that did not wait for this one.

mod in_flight;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jitney_core::message::Outbound;
use jitney_core::transport::Published;
use jitney_core::{Error, ErrorKind};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::{Mutex, RwLock};

use crate::cluster::Cluster;
use crate::config::Role;
use crate::context::Context;
use crate::{error, record};

use in_flight::{Failures, InFlight};

/// How long a full queue is waited for before it is looked at again, answered or not.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Publishes to one cluster.
pub(crate) struct Publisher {
    cluster: Arc<Cluster>,
    role: Role,
    /// The largest message that is taken, in bytes.
    most: usize,
    in_flight: Arc<InFlight>,
    /// Held by each call while it runs: closing waits for those that began before it.
    calls: RwLock<()>,
    batches: Line,
    /// For messages whose batch was too large.
    singles: Line,
}

/// One producer's messages.
struct Line {
    /// How many messages go into a batch at most, where that is bounded.
    most: Option<u32>,
    /// Held while messages of a call are handed over, so that calls keep their order.
    producer: Mutex<Producer>,
}

impl Line {
    fn new(most: Option<u32>) -> Self {
        Line { most, producer: Mutex::new(Producer::NotNeededYet) }
    }
}

enum Producer {
    NotNeededYet,
    Ready(ThreadedProducer<Answers>),
    Closed,
}

/// Tells the table of each answer.
struct Answers {
    in_flight: Arc<InFlight>,
    context: Context,
    /// The producer has failed for good, and another must be made.
    is_broken: AtomicBool,
}

impl ClientContext for Answers {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Answers {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let failure = result.as_ref().err();
        let code = failure.map(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Unknown));
        if code == Some(Code::Fatal) {
            self.is_broken.store(true, Ordering::Relaxed);
        }
        self.in_flight.answered(opaque, code);
    }
}

impl Publisher {
    /// Publishes what the application does.
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        let most = cluster.config.max_message_bytes;
        Publisher::of(Role::Producer, most, cluster)
    }

    /// Publishes to topics of a group's own what it puts aside: it is larger than what was delivered, and that was taken
    /// once.
    pub(crate) fn aside(cluster: Arc<Cluster>) -> Self {
        Publisher::of(Role::AsideProducer, usize::MAX, cluster)
    }

    fn of(role: Role, most: usize, cluster: Arc<Cluster>) -> Self {
        Publisher {
            cluster,
            role,
            most,
            in_flight: Arc::default(),
            calls: RwLock::new(()),
            batches: Line::new(None),
            singles: Line::new(Some(1)),
        }
    }

    /// Stores one message.
    pub(crate) async fn publish_one(&self, message: Outbound) -> Published {
        let mut failed = self.store(std::slice::from_ref(&message)).await;
        failed.pop().map_or(Published::Acked, |(_, error)| published(error))
    }

    /// Stores the messages of `batch`; answers one outcome for each.
    pub(crate) async fn publish(&self, batch: &[Outbound]) -> Vec<Published> {
        let failed = self.store(batch).await;
        let mut outcomes: Vec<_> = std::iter::repeat_with(|| Published::Acked).take(batch.len()).collect();
        for (index, error) in failed {
            outcomes[index as usize] = published(error);
        }
        outcomes
    }

    /// Stores the messages of `batch`; answers the places and errors of those that are not known to be stored.
    async fn store(&self, batch: &[Outbound]) -> Vec<(u32, Error)> {
        let _call = self.calls.read().await;
        let mut failed = self.refused(batch).await;
        let is_refused = |index: &u32| failed.binary_search_by_key(index, |(index, _)| *index).is_ok();
        let rest = (0..batch.len() as u32).filter(|index| !is_refused(index));
        let (not_sent, mut failures) = self.send(&self.batches, batch, rest).await;
        failed.extend(not_sent);
        let is_too_large = |(_, code): &(u32, Code)| *code == Code::MessageSizeTooLarge;
        if failures.iter().any(is_too_large) {
            let (mut again, others): (Vec<_>, Vec<_>) = failures.into_iter().partition(is_too_large);
            again.sort_unstable_by_key(|(index, _)| *index);
            let again = again.into_iter().map(|(index, _)| index);
            let (not_sent, singly) = self.send(&self.singles, batch, again).await;
            failed.extend(not_sent);
            failures = [others, singly].concat();
        }
        let error = |(index, code)| (index, error::not_published(&self.doing(&batch[index as usize]), code));
        failed.extend(failures.into_iter().map(error));
        failed
    }

    /// Sends the messages at `indices` and waits for their answers: errors of those that were not handed over, and failures.
    async fn send(
        &self,
        line: &Line,
        batch: &[Outbound],
        indices: impl Iterator<Item = u32> + Clone,
    ) -> (Vec<(u32, Error)>, Failures) {
        let asked = indices.clone();
        let (mut ticket, answer) = self.in_flight.begin(batch.len());
        let mut producer = line.producer.lock().await;
        let mut not_sent = Vec::new();
        for index in indices {
            let outbound = &batch[index as usize];
            match self.hand_over(line, &mut producer, outbound, ticket.opaque(index as usize)).await {
                Ok(()) => ticket.handed_over(),
                Err(error) => not_sent.push((index, error)),
            }
        }
        drop((producer, ticket));
        let failures = answer.await.unwrap_or_else(|_| {
            // The table forgets no call before its last answer; should it, nobody knows what became of the messages.
            let is_known = |index: &u32| not_sent.iter().any(|(known, _)| known == index);
            let open = asked.filter(|index| !is_known(index));
            open.map(|index| (index, Code::Unknown)).collect()
        });
        (not_sent, failures)
    }

    /// What is not to be handed over, in ascending order: too large, or for a topic that is not there.
    async fn refused(&self, batch: &[Outbound]) -> Vec<(u32, Error)> {
        let most = self.most;
        let mut refused = Vec::new();
        let mut previous = None;
        for (index, outbound) in batch.iter().enumerate() {
            let message = &outbound.message;
            if message.size() > most {
                let what = format!(
                    "{}: the message has {} bytes with key and headers, and {most} are allowed; raise `max_message_bytes` \
                     (and the topic's `max.message.bytes`), or publish a reference to large data",
                    self.doing(outbound),
                    message.size(),
                );
                refused.push((index as u32, Error::new(ErrorKind::Rejected, what)));
            } else if previous != Some(&message.topic) {
                if let Err(error) = self.cluster.topics_exist(&[&message.topic]).await {
                    let rejected = Error::new(ErrorKind::Rejected, self.doing(outbound));
                    refused.push((index as u32, rejected.retryable(error.is_retryable()).with_source(error)));
                    continue;
                }
                previous = Some(&message.topic);
            }
        }
        refused
    }

    /// Hands one message to the producer, waiting while its queue is full.
    async fn hand_over(
        &self,
        line: &Line,
        producer: &mut Producer,
        outbound: &Outbound,
        opaque: usize,
    ) -> Result<(), Error> {
        let mut is_new = false;
        loop {
            let ready = self.ready(line, producer, outbound)?;
            let Err((error, _)) = ready.send(record::record(&outbound.message, opaque)) else {
                return Ok(());
            };
            match error.rdkafka_error_code() {
                Some(Code::QueueFull) if ready.in_flight_count() == 0 => {
                    let what = format!(
                        "{}: the message is larger than the client's whole queue (`queue.buffering.max.kbytes`)",
                        self.doing(outbound)
                    );
                    return Err(Error::new(ErrorKind::Rejected, what));
                }
                Some(Code::QueueFull) => self.wait_for_room().await,
                Some(Code::Fatal) if !is_new => {
                    ready.context().is_broken.store(true, Ordering::Relaxed);
                    is_new = true;
                }
                code => {
                    let code = code.unwrap_or(Code::Unknown);
                    return Err(error::not_published(&self.doing(outbound), code));
                }
            }
        }
    }

    async fn wait_for_room(&self) {
        // The next look comes in any case.
        let _ = self.cluster.env.timeout(LOOK_AGAIN, self.in_flight.room()).await;
        self.in_flight.has_room();
    }

    /// The producer; a new one where there is none, or the last one has failed for good.
    fn ready<'p>(
        &self,
        line: &Line,
        producer: &'p mut Producer,
        outbound: &Outbound,
    ) -> Result<&'p ThreadedProducer<Answers>, Error> {
        let is_broken = match producer {
            Producer::Ready(ready) => ready.context().is_broken.load(Ordering::Relaxed),
            Producer::NotNeededYet | Producer::Closed => false,
        };
        if is_broken && let Producer::Ready(broken) = std::mem::replace(producer, Producer::NotNeededYet) {
            tracing::warn!("the producer has failed for good and is replaced");
            // What it still has is answered while it is dropped, which takes a moment.
            drop(tokio::task::spawn_blocking(move || drop(broken)));
        }
        if let Producer::NotNeededYet = producer {
            let service = outbound.attributes.as_ref().map_or("jitney", |about| &about.service);
            let mut settings = self.cluster.config.native(&self.role, service);
            if let Some(most) = line.most {
                settings.set("batch.num.messages", most.to_string());
            }
            let (in_flight, context) = (Arc::clone(&self.in_flight), Context::default());
            let answers = Answers { in_flight, context, is_broken: AtomicBool::new(false) };
            let made = settings.create_with_context(answers);
            let doing = format!("making a producer for {}", self.cluster.config.describe());
            *producer = Producer::Ready(made.map_err(|error| error::bad_settings(&doing, &error))?);
        }
        match producer {
            Producer::Ready(ready) => Ok(ready),
            Producer::NotNeededYet | Producer::Closed => Err(error::closed(&self.doing(outbound))),
        }
    }

    /// Whether nothing more is taken.
    pub(crate) async fn is_closed(&self) -> bool {
        matches!(*self.batches.producer.lock().await, Producer::Closed)
    }

    /// Sends what waits, within `limit`, and takes nothing more.
    pub(crate) async fn close(&self, limit: Duration) -> Result<(), Error> {
        let env = &self.cluster.env;
        let deadline = env.instant() + limit;
        // Beyond the limit they end with the producers.
        let _calls = env.timeout_at(deadline, self.calls.write()).await;
        let mut first = Ok(());
        for line in [&self.batches, &self.singles] {
            let left = deadline.saturating_duration_since(env.instant());
            first = first.and(self.close_line(line, left).await);
        }
        first
    }

    async fn close_line(&self, line: &Line, limit: Duration) -> Result<(), Error> {
        let doing = format!("sending what waits for {}", self.cluster.config.describe());
        let deadline = self.cluster.env.instant() + limit;
        let Ok(mut producer) = self.cluster.env.timeout_at(deadline, line.producer.lock()).await else {
            let what = format!("{doing}: others still wait for room after {limit:?}");
            return Err(Error::new(ErrorKind::Unknown, what));
        };
        let last = std::mem::replace(&mut *producer, Producer::Closed);
        drop(producer);
        let Producer::Ready(last) = last else { return Ok(()) };
        let limit = deadline.saturating_duration_since(self.cluster.env.instant());
        let flushed = tokio::task::spawn_blocking(move || {
            let flushed = last.flush(limit);
            drop(last);
            flushed
        });
        match flushed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error::client(&doing, error)),
            Err(_) => Err(Error::new(ErrorKind::Unknown, format!("{doing}: the task was cancelled"))),
        }
    }

    fn doing(&self, outbound: &Outbound) -> String {
        format!("publishing to topic `{}` of {}", outbound.message.topic, self.cluster.config.describe())
    }
}

fn published(error: Error) -> Published {
    match error.kind() {
        ErrorKind::Unknown => Published::Unknown(error),
        _ => Published::Rejected(error),
    }
}
