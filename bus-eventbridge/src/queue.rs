//! The queue of a group, and the one for its dead letters.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    Message as SqsMessage, MessageSystemAttributeName as Attribute,
};
use futures_util::future::join_all;
use jiff::Timestamp;
use jitney_core::dead_letter::DeadLetter;
use jitney_core::message::Message;
use jitney_core::transport::Interest;
use jitney_core::{Env, Error, ErrorKind};

use crate::inbound::{self, Arrival};
use crate::member::Held;
use crate::replay;
use crate::{attributes, error};

/// The most entries of one request.
pub(crate) const BATCH: usize = 10;

/// The queues of one group.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    pub(crate) client: aws_sdk_sqs::Client,
    pub(crate) group: String,
    pub(crate) url: String,
    pub(crate) dead_letters: String,
    /// How long what is received is hidden from others.
    pub(crate) visibility: Duration,
    /// How long a receive waits for messages.
    pub(crate) wait: Duration,
    /// What a long poll may take in all.
    pub(crate) limits: TimeoutConfig,
}

/// One entry of a batch that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) index: usize,
    /// The queue has taken the message back, or has forgotten it.
    pub(crate) is_gone: bool,
    said: String,
    is_retryable: bool,
}

impl Failed {
    pub(crate) fn error(&self, group: &str) -> Error {
        let what = format!("settling a delivery of group `{group}`: {}", self.said);
        Error::new(ErrorKind::Settle, what).retryable(self.is_retryable)
    }

    fn of(entry: &BatchResultErrorEntry) -> Option<Self> {
        let is_gone = matches!(
            entry.code().rsplit('.').next(),
            Some("ReceiptHandleIsInvalid" | "MessageNotInflight" | "InvalidParameterValue")
        );
        let said = format!("{}: {}", entry.code(), entry.message().unwrap_or("no message"));
        let index = entry.id().parse().ok()?;
        Some(Failed { index, is_gone, said, is_retryable: !entry.sender_fault() })
    }

    fn all(count: usize, error: &Error) -> Vec<Self> {
        let (said, is_retryable) = (error.to_string(), error.is_retryable());
        let failed = |index| Failed { index, is_gone: false, said: said.clone(), is_retryable };
        (0..count).map(failed).collect()
    }
}

impl Queue {
    /// Up to `most` messages, of 10 at most; none where none came in time.
    pub(crate) async fn receive(
        &self,
        most: usize,
        interests: &[Interest],
        env: &Env,
    ) -> Result<Vec<Held>, Error> {
        let doing = format!("receiving from queue `{}` of group `{}`", self.url, self.group);
        let request = self.client.receive_message().queue_url(&self.url);
        let request = request
            .max_number_of_messages(i32::try_from(most.min(BATCH)).unwrap_or(1))
            .wait_time_seconds(seconds(self.wait))
            .visibility_timeout(seconds(self.visibility))
            .message_attribute_names("All")
            .message_system_attribute_names(Attribute::ApproximateReceiveCount)
            .message_system_attribute_names(Attribute::SentTimestamp);
        let limits = aws_sdk_sqs::Config::builder().timeout_config(self.limits.clone());
        let answer = request.customize().config_override(limits).send().await.map_err(|error| {
            // A queue that was just made is not known everywhere at once.
            let is_young = error.as_service_error().is_some_and(|error| error.is_queue_does_not_exist());
            let error = error::failed(&doing, &error);
            let is_retryable = error.is_retryable() || is_young;
            error.retryable(is_retryable)
        })?;
        let received = env.instant();
        let mut held = Vec::new();
        let mut unwanted = Vec::new();
        for message in answer.messages.unwrap_or_default() {
            let Some(receipt) = message.receipt_handle().map(str::to_owned) else { continue };
            let attempt = system(&message, &Attribute::ApproximateReceiveCount).unwrap_or(1);
            let message = self.message(message, interests, env);
            if replay::is_too_old(&message) {
                unwanted.push((receipt, Duration::ZERO));
                continue;
            }
            let until = received + self.visibility;
            let message = Arc::new(message);
            held.push(Held { message, receipt, attempt, received, until, is_renewed: false });
        }
        if !unwanted.is_empty() {
            // What is left of them comes again, and is then deleted.
            drop(self.delete(unwanted).await);
        }
        Ok(held)
    }

    fn message(&self, message: SqsMessage, interests: &[Interest], env: &Env) -> Message {
        let sent = system(&message, &Attribute::SentTimestamp);
        let sent = sent.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let arrival = Arrival {
            message_id: message.message_id,
            time: sent.unwrap_or_else(|| env.now()),
            headers: attributes::headers(message.message_attributes.unwrap_or_default()),
        };
        inbound::message(message.body.unwrap_or_default().into(), arrival, interests)
    }

    /// Deletes up to 10 messages by their receipts; answers those that are not deleted.
    pub(crate) async fn delete(&self, receipts: Vec<(String, Duration)>) -> Vec<Failed> {
        let count = receipts.len();
        let entries = receipts.into_iter().enumerate().map(|(index, (receipt, _))| {
            let entry =
                DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(receipt);
            entry.build().expect("an entry has an id and a receipt")
        });
        let request = self.client.delete_message_batch().queue_url(&self.url);
        match request.set_entries(Some(entries.collect())).send().await {
            Ok(answer) => answer.failed().iter().filter_map(Failed::of).collect(),
            Err(error) => Failed::all(count, &error::failed("deleting from its queue", &error)),
        }
    }

    /// Hides up to 10 messages for so long from now on, in whole seconds, rounded up; answers those that are not.
    pub(crate) async fn hide(&self, receipts: Vec<(String, Duration)>) -> Vec<Failed> {
        let count = receipts.len();
        let entries = receipts.into_iter().enumerate().map(|(index, (receipt, limit))| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
            let entry = entry.receipt_handle(receipt).visibility_timeout(seconds(limit));
            entry.build().expect("an entry has an id and a receipt")
        });
        let request = self.client.change_message_visibility_batch().queue_url(&self.url);
        match request.set_entries(Some(entries.collect())).send().await {
            Ok(answer) => answer.failed().iter().filter_map(Failed::of).collect(),
            Err(error) => Failed::all(count, &error::failed("hiding it in its queue", &error)),
        }
    }

    /// Gives messages back at once. What cannot be is taken back by the queue when its time has passed.
    pub(crate) async fn give_back(&self, receipts: Vec<String>) {
        let batches = receipts
            .chunks(BATCH)
            .map(|batch| self.hide(batch.iter().map(|receipt| (receipt.clone(), Duration::ZERO)).collect()));
        for failed in join_all(batches).await.iter().flatten().filter(|failed| !failed.is_gone) {
            let (group, said) = (&*self.group, &*failed.said);
            tracing::debug!(group, said, "a message could not be given back, and comes again later");
        }
    }

    /// Stores a dead letter: the body as it came, everything else as attributes.
    pub(crate) async fn bury(&self, letter: &DeadLetter) -> Result<(), Error> {
        let message = &letter.delivery.message;
        // SQS takes no body that is empty, and delivered none.
        let body = String::from_utf8_lossy(&message.body);
        let request = self.client.send_message().queue_url(&self.dead_letters).message_body(body);
        let request = request.set_message_attributes(Some(attributes::of_dead_letter(letter)));
        request.send().await.map(drop).map_err(|error| {
            let doing = format!("storing a dead letter of group `{}` in `{}`", self.group, self.dead_letters);
            let error = error::failed(&doing, &error);
            Error::new(ErrorKind::Settle, error.to_string()).retryable(error.is_retryable())
        })
    }

    /// Up to `limit` dead letters, by the time when they came, all of which stay.
    pub(crate) async fn read_dead_letters(&self, limit: usize, env: &Env) -> Result<Vec<Message>, Error> {
        let letters = Queue {
            url: self.dead_letters.clone(),
            // Long enough to see each once.
            visibility: Duration::from_secs(30),
            wait: Duration::from_secs(1),
            ..self.clone()
        };
        let mut held: Vec<Held> = Vec::new();
        let mut failed = Ok(());
        while held.len() < limit {
            match letters.receive(limit - held.len(), &[], env).await {
                Ok(came) if came.is_empty() => break,
                Ok(came) => held.extend(came),
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
        }
        letters.give_back(held.iter().map(|held| held.receipt.clone()).collect()).await;
        failed?;
        Ok(held.into_iter().map(|held| Arc::unwrap_or_clone(held.message)).collect())
    }
}

/// A number in the system attributes of a message.
fn system<T: std::str::FromStr>(message: &SqsMessage, name: &Attribute) -> Option<T> {
    let attributes: &HashMap<Attribute, String> = message.attributes()?;
    attributes.get(name)?.parse().ok()
}

/// Whole seconds, rounded up.
fn seconds(limit: Duration) -> i32 {
    i32::try_from(limit.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i32::MAX)
}
