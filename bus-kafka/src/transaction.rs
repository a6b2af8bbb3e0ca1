//! Transactions: messages and offsets that become visible together, or not at all.
//!
//! Everything here blocks, and belongs on a thread where that is allowed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney_core::message::Message;
use jitney_core::{Env, Error, ErrorKind, error_chain};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, TopicPartitionList};
use tokio::time::Instant;

use crate::cluster::NO_TOPIC;
use crate::context::Context;
use crate::{error, record};

/// How long a full queue is given to drain before the next try.
const DRAIN: Duration = Duration::from_millis(50);

/// How long is waited at once for answers about messages. Another thread may take the last one, and whoever waits for it here
/// hears nothing of that before the time is over.
const ANSWERS: Duration = Duration::from_millis(1);

/// The shortest time that the cluster is given for an answer.
const AT_LEAST: Duration = Duration::from_secs(1);

/// A producer of transactions under one name.
pub(crate) struct Transactions {
    settings: ClientConfig,
    name: String,
    limit: Duration,
    env: Env,
    producer: Option<ThreadedProducer<Deliveries>>,
    /// Messages go out each in a batch of its own.
    is_single: bool,
    /// Dead letters are among the messages.
    has_letters: bool,
}

/// How a transaction failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Nothing of it is visible. Where a message was to blame, its place among them.
    Aborted(Error, Option<usize>),
    /// All of it may be visible, or nothing.
    Unknown(Error),
}

impl Failed {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Failed::Aborted(error, _) | Failed::Unknown(error) => error,
        }
    }
}

/// Remembers the first message that could not be delivered.
#[derive(Default)]
struct Deliveries {
    context: Context,
    failure: Arc<Mutex<Option<(usize, Code)>>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
            if matches!(code, Code::PurgeQueue | Code::PurgeInflight) {
                // It was dropped because of another one, which is to blame.
                return;
            }
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert((index, code));
        }
    }
}

impl Transactions {
    /// Transactions called `name` by a producer of `settings`, none of which may take longer than `limit`.
    pub(crate) fn new(settings: ClientConfig, name: String, limit: Duration, env: Env) -> Self {
        Transactions { settings, name, limit, env, producer: None, is_single: false, has_letters: false }
    }

    /// These, of a group: what is put aside may have come in a compressed batch, and be far larger than its topic allows.
    pub(crate) fn with_letters(mut self) -> Self {
        self.has_letters = true;
        self
    }

    /// Stores `messages`, and the offsets that a group has reached, in one transaction.
    pub(crate) fn run(
        &mut self,
        messages: &[&Message],
        offsets: Option<(&TopicPartitionList, &ConsumerGroupMetadata)>,
    ) -> Result<(), Failed> {
        match self.run_once(messages, offsets) {
            // The cluster refuses a batch as a whole, which says nothing of any message in it. Each is judged for itself when
            // it has a batch of its own.
            Err((Failed::Aborted(error, _), Some(Code::MessageSizeTooLarge))) if !self.is_single => {
                tracing::warn!(
                    transaction = self.name,
                    %error,
                    "a batch was too large, and from now on messages are sent one by one: raise the topic's \
                     `max.message.bytes` above 1 MB"
                );
                self.is_single = true;
                self.settings.set("batch.num.messages", "1");
                if self.has_letters && self.settings.get("compression.type") == Some("none") {
                    self.settings.set("compression.type", "gzip");
                }
                // One that is ready has the settings of before.
                self.producer = None;
                self.run_once(messages, offsets).map_err(|(failed, _)| failed)
            }
            ran => ran.map_err(|(failed, _)| failed),
        }
    }

    /// Stores `messages` in one transaction, by the producer that [`prepare`](Self::prepare) has made. Where that fails, another
    /// one must be prepared; with the failure, why the cluster did not take a message, where that was the reason.
    #[cfg(feature = "store")]
    pub(crate) fn run_prepared(&mut self, messages: &[&Message]) -> Result<(), (Failed, Option<Code>)> {
        if self.producer.is_none() {
            let what = format!("{}: there is no producer", self.doing("beginning"));
            return Err((Failed::Aborted(Error::new(ErrorKind::Transport, what), None), None));
        }
        let ran = self.run_once(messages, None);
        if ran.is_err() {
            self.producer = None;
        }
        ran
    }

    /// Sends `message` in a transaction that is aborted: so ends what an earlier one has left in that partition.
    #[cfg(feature = "store")]
    pub(crate) fn abort_with(&mut self, message: &Message) -> Result<(), Error> {
        let Some(producer) = self.producer.take() else {
            let what = format!("{}: there is no producer", self.doing("aborting"));
            return Err(Error::new(ErrorKind::Transport, what));
        };
        let failed = |error| error::client(&self.doing("aborting"), error);
        producer.begin_transaction().map_err(failed)?;
        producer.send(record::record(message, 0)).map_err(|(error, _)| failed(error))?;
        producer.flush(self.limit).map_err(failed)?;
        producer.abort_transaction(self.limit).map_err(failed)?;
        self.producer = Some(producer);
        Ok(())
    }

    /// From now on, each message has a batch of its own; false where that is so already.
    #[cfg(feature = "store")]
    pub(crate) fn send_singly(&mut self) -> bool {
        self.settings.set("batch.num.messages", "1");
        !std::mem::replace(&mut self.is_single, true)
    }

    /// Runs one transaction; with the failure, why the cluster did not take a message, where that was the reason.
    fn run_once(
        &mut self,
        messages: &[&Message],
        offsets: Option<(&TopicPartitionList, &ConsumerGroupMetadata)>,
    ) -> Result<(), (Failed, Option<Code>)> {
        let producer = self.ready().map_err(|failed| (failed, None))?;
        let ran = self.attempt(&producer, messages, offsets);
        let code = failure(&producer).map(|(_, code)| code);
        let mut is_open = false;
        let is_lost = match &ran {
            Ok(()) => false,
            Err(Failed::Aborted(..)) => {
                // Behind a message that the cluster refused, the client may hold others back for good, and waits for them.
                let limit = if code.is_some() { AT_LEAST } else { self.limit };
                let aborted = producer.abort_transaction(limit);
                if let Err(error) = &aborted {
                    tracing::debug!(%error, transaction = self.name, "a transaction was not aborted in order");
                    is_open = code.is_some();
                }
                // Where the cluster refused a message, the client would number the next ones wrong.
                aborted.is_err() || code.is_some()
            }
            // Only a new producer under the same name can find out, since it waits for the end of the old one's.
            Err(Failed::Unknown(_)) => true,
        };
        if is_lost {
            drop(producer);
            // Left open, it hides from readers what is behind it, until the next one of this name or its time-out.
            if is_open && let Err(failed) = self.prepare() {
                let error = error_chain(&failed.into_error());
                tracing::debug!(error, transaction = self.name, "an open transaction ends with its time-out");
            }
        } else {
            // Aborting has answered for what was left.
            *producer.context().failure.lock().unwrap_or_else(PoisonError::into_inner) = None;
            self.producer = Some(producer);
        }
        ran.map_err(|failed| (failed, code))
    }

    fn attempt(
        &self,
        producer: &ThreadedProducer<Deliveries>,
        messages: &[&Message],
        offsets: Option<(&TopicPartitionList, &ConsumerGroupMetadata)>,
    ) -> Result<(), Failed> {
        producer.begin_transaction().map_err(|error| self.aborted("beginning", error))?;
        let deadline = self.env.instant() + self.limit;
        for (index, message) in messages.iter().enumerate() {
            loop {
                let Err((error, _)) = producer.send(record::record(message, index)) else { break };
                match error.rdkafka_error_code() {
                    Some(Code::QueueFull) if producer.in_flight_count() == 0 => {
                        return Err(self.not_taken(message, index, Code::MessageSizeTooLarge));
                    }
                    Some(Code::QueueFull) if self.env.instant() < deadline => {
                        // What fails shows up in the end.
                        let _ = producer.flush(DRAIN);
                    }
                    code => return Err(self.not_taken(message, index, code.unwrap_or(Code::Unknown))),
                }
            }
        }
        let flushed = self.flush(producer, deadline);
        if let Some((index, code)) = failure(producer) {
            return Err(match messages.get(index) {
                Some(message) => self.not_taken(message, index, code),
                None => self.aborted("sending", KafkaError::MessageProduction(code)),
            });
        }
        flushed.map_err(|error| self.aborted("sending", error))?;
        if let Some((offsets, group)) = offsets {
            producer
                .send_offsets_to_transaction(offsets, group, self.left(deadline))
                .map_err(|error| self.aborted("adding offsets to", error))?;
        }
        loop {
            let Err(error) = producer.commit_transaction(self.left(deadline)) else { return Ok(()) };
            let (requires_abort, is_retriable) = match &error {
                KafkaError::Transaction(error) => (error.txn_requires_abort(), error.is_retriable()),
                _ => (false, false),
            };
            if requires_abort {
                return Err(self.aborted("committing", error));
            }
            if !is_retriable || self.env.instant() > deadline {
                let error = error::client(&self.doing("committing"), error);
                return Err(Failed::Unknown(
                    Error::new(ErrorKind::Unknown, error.to_string()).with_source(error),
                ));
            }
        }
    }

    /// What is left of a transaction's time, or long enough for an answer that is on its way.
    fn left(&self, deadline: Instant) -> Duration {
        deadline.saturating_duration_since(self.env.instant()).max(AT_LEAST)
    }

    /// Waits until every message is answered, or one has failed: those behind it are then held back, and never answered.
    fn flush(&self, producer: &ThreadedProducer<Deliveries>, deadline: Instant) -> KafkaResult<()> {
        loop {
            match producer.flush(ANSWERS) {
                Err(_) if failure(producer).is_none() && self.env.instant() < deadline => {}
                flushed => return flushed,
            }
        }
    }

    /// Gets ready for the first transaction, which ends one that an earlier process of this name left open.
    pub(crate) fn prepare(&mut self) -> Result<(), Failed> {
        self.producer = Some(self.ready()?);
        Ok(())
    }

    fn ready(&mut self) -> Result<ThreadedProducer<Deliveries>, Failed> {
        if let Some(producer) = self.producer.take() {
            return Ok(producer);
        }
        let doing = self.doing("getting ready for");
        let made: Result<ThreadedProducer<Deliveries>, _> =
            self.settings.create_with_context(Deliveries::default());
        let producer = made.map_err(|error| Failed::Aborted(error::bad_settings(&doing, &error), None))?;
        let failed = |error| Failed::Aborted(error::client(&doing, error), None);
        let deadline = self.env.instant() + self.limit;
        // Without a connection the client asks for the coordinator half a second later: it waits for one here.
        producer.client().fetch_metadata(Some(NO_TOPIC), self.limit).map_err(failed)?;
        producer.init_transactions(self.left(deadline)).map_err(failed)?;
        Ok(producer)
    }

    fn not_taken(&self, message: &Message, index: usize, code: Code) -> Failed {
        let doing = format!("{} (a message for topic `{}`)", self.doing("sending"), message.topic);
        let error = error::not_published(&doing, code);
        // Whatever became of the message, an aborted transaction hides it.
        let is_retryable = error.is_retryable();
        Failed::Aborted(
            Error::new(ErrorKind::Rejected, error.to_string()).retryable(is_retryable),
            Some(index),
        )
    }

    fn aborted(&self, step: &str, error: KafkaError) -> Failed {
        Failed::Aborted(error::client(&self.doing(step), error), None)
    }

    fn doing(&self, step: &str) -> String {
        format!("{step} a transaction of `{}`", self.name)
    }
}

/// The place of the first message that failed, and why.
fn failure(producer: &ThreadedProducer<Deliveries>) -> Option<(usize, Code)> {
    *producer.context().failure.lock().unwrap_or_else(PoisonError::into_inner)
}
