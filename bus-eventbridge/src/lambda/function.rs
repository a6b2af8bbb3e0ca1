//! From an invocation to its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use jitney_core::app::BatchServer;
use jitney_core::codec::EVENT_TYPE_HEADER;
use jitney_core::dead_letter::DeadLetter;
use jitney_core::dispatch::Dispatcher;
use jitney_core::message::Message;
use jitney_core::transport::{Delivery, Epoch, Settle, Token};
use jitney_core::{Env, Error, ErrorKind, error_chain};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::invocation::Invocation;
use super::record::{PartialResponse, Record};
use crate::inbound::{self, Arrival};
use crate::names::Names;

/// An application that serves invocations.
#[derive(Debug)]
pub(super) struct Function {
    server: BatchServer,
    margin: Duration,
    invocations: AtomicU64,
}

/// What Lambda is told of an invocation that did not fail.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Event(()),
    Batch(PartialResponse),
}

/// When handlers are stopped, and when the answer has to go.
#[derive(Debug, Clone, Copy)]
struct Times {
    epoch: Epoch,
    now: Timestamp,
    handled: Duration,
    stored: Instant,
}

/// A group with what it is to handle.
type Share<'a> = (&'a Dispatcher, Vec<Delivery>);

impl Function {
    pub(super) fn new(server: BatchServer, margin: Duration) -> Self {
        Function { server, margin, invocations: AtomicU64::new(0) }
    }

    pub(super) async fn stop(self) -> Result<(), Error> {
        self.server.stop().await
    }

    /// Handles one invocation.
    pub(super) async fn serve(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Answer, Diagnostic> {
        let times = self.times(event.context.deadline);
        let answer = match Invocation::of(event.payload.get()) {
            Ok(Invocation::Event) => self.event(&event.payload, times).await.map(Answer::Event),
            Ok(Invocation::Batch(records)) => self.batch(records, times).await.map(Answer::Batch),
            Err(error) => Err(error),
        };
        answer.map_err(|error| Diagnostic {
            error_type: format!("Jitney.{:?}", error.kind()),
            error_message: error_chain(&error),
        })
    }

    async fn event(&self, payload: &RawValue, times: Times) -> Result<(), Error> {
        let body = bytes::Bytes::copy_from_slice(payload.get().as_bytes());
        let token = Token { epoch: times.epoch, number: 0 };
        let arrival = Arrival { time: times.now, ..Arrival::default() };
        let mut shares: Vec<(bool, Share<'_>)> = Vec::new();
        for dispatcher in self.server.dispatchers().values() {
            let message = inbound::message(body.clone(), arrival.clone(), dispatcher.interests());
            let is_wanted = is_wanted(dispatcher, &message);
            shares.push((is_wanted, (dispatcher, vec![Delivery::new(Arc::new(message), token)])));
        }
        // What nobody takes is for all of them to skip and count, or to refuse.
        let is_for_all = !shares.iter().any(|(is_wanted, _)| *is_wanted);
        let shares = shares.into_iter().filter(|(is_wanted, _)| *is_wanted || is_for_all);
        let undone = join_all(shares.map(|(_, share)| self.handle(share, times))).await;
        match undone.into_iter().flatten().next() {
            None => Ok(()),
            Some((_, why)) => {
                let what =
                    format!("handling an event of EventBridge: {why}; it comes again as Lambda retries");
                Err(Error::new(ErrorKind::Settle, what))
            }
        }
    }

    async fn batch(&self, mut records: Vec<Record>, times: Times) -> Result<PartialResponse, Error> {
        let mut shares: BTreeMap<&str, Share<'_>> = BTreeMap::new();
        for (number, record) in records.iter_mut().enumerate() {
            let dispatcher = self.reader_of(record.queue())?;
            let message = record.message(times.now, dispatcher.interests());
            let token = Token { epoch: times.epoch, number: number as u64 };
            let delivery = Delivery::new(Arc::new(message), token).attempt(record.attempt());
            shares.entry(dispatcher.group()).or_insert((dispatcher, Vec::new())).1.push(delivery);
        }
        let undone = join_all(shares.into_values().map(|share| self.handle(share, times))).await;
        let undone: BTreeMap<u64, String> = undone.into_iter().flatten().collect();
        for (number, why) in &undone {
            let message_id = usize::try_from(*number).ok().and_then(|number| records.get(number));
            let message_id = message_id.map(|record| &*record.message_id);
            tracing::warn!(message_id, why, "a record of a queue is not done, and comes again");
        }
        Ok(PartialResponse::of(&records, |place| !undone.contains_key(&(place as u64))))
    }

    /// The group that `queue` is for.
    fn reader_of(&self, queue: &str) -> Result<&Dispatcher, Error> {
        let dispatchers = self.server.dispatchers();
        let mut readers = dispatchers.values().filter(|dispatcher| {
            // A FIFO queue is made by hand: its name ends as SQS wants it.
            let name = queue.strip_suffix(".fifo").unwrap_or(queue);
            dispatchers.len() == 1 || Names::of(dispatcher.group()).queue == name
        });
        readers.next().ok_or_else(|| {
            let queues: BTreeSet<_> = dispatchers
                .values()
                .map(|dispatcher| {
                    format!("`{}` for group `{}`", Names::of(dispatcher.group()).queue, dispatcher.group())
                })
                .collect();
            let queues = queues.into_iter().collect::<Vec<_>>().join(", ");
            Error::config(format!(
                "handling a batch of queue `{queue}`: no group of this function has such a queue; feed it from {queues}, or have \
                 one group in it, which then takes what comes",
            ))
        })
    }

    /// Has a group handle its share. Answers the numbers of those that are to come again, and why.
    async fn handle(&self, (dispatcher, deliveries): Share<'_>, times: Times) -> Vec<(u64, String)> {
        let group = dispatcher.group();
        let late = || format!("group `{group}` had not handled it {:?} before the time-out", self.margin);
        let mut undone: BTreeMap<u64, String> =
            deliveries.iter().map(|delivery| (delivery.token.number, late())).collect();
        let mut letters = Vec::new();
        for settlement in dispatcher.run_batch(deliveries, times.handled).await {
            match settlement.settle {
                Settle::Ack => drop(undone.remove(&settlement.token.number)),
                Settle::Retry { .. } => {
                    let why = format!("its handler in group `{group}` asked for it to be delivered again");
                    undone.insert(settlement.token.number, why);
                }
                Settle::DeadLetter(letter) => letters.push(letter),
            }
        }
        let stored = letters.iter().map(|letter| self.store(dispatcher, letter, times.stored));
        for (letter, stored) in letters.iter().zip(join_all(stored).await) {
            let number = letter.delivery.token.number;
            match stored {
                Ok(()) => drop(undone.remove(&number)),
                Err(error) => drop(undone.insert(number, error_chain(&error))),
            }
        }
        undone.into_iter().collect()
    }

    /// Stores a dead letter where its group's bus keeps them, and reports it.
    async fn store(&self, dispatcher: &Dispatcher, letter: &DeadLetter, until: Instant) -> Result<(), Error> {
        let bus = dispatcher.bus();
        let failed =
            |kind| Error::new(kind, format!("storing a dead letter of group `{}`", dispatcher.group()));
        let admin = bus.admin().map_err(|error| failed(error.kind()).with_source(error))?;
        let stored = bus.env().timeout_at(until, admin.store_dead_letter(letter)).await;
        stored.map_err(|elapsed| failed(ErrorKind::Settle).with_source(elapsed))??;
        dispatcher.dead_letter_stored(letter);
        Ok(())
    }

    /// How long an invocation may take that ends at `deadline`, in milliseconds since 1970.
    fn times(&self, deadline: u64) -> Times {
        let env: &Env = self.server.bus().env();
        let now = env.now();
        let left = Duration::from_millis(deadline.saturating_sub(now.as_millisecond().unsigned_abs()));
        Times {
            epoch: Epoch(self.invocations.fetch_add(1, Ordering::Relaxed) + 1),
            now,
            handled: left.saturating_sub(self.margin),
            stored: env.instant() + left.saturating_sub(self.margin / 2),
        }
    }
}

/// Whether a group has a handler for `message`.
fn is_wanted(dispatcher: &Dispatcher, message: &Message) -> bool {
    let event_type = message.header_str(EVENT_TYPE_HEADER);
    dispatcher.interests().iter().any(|interest| {
        let types = &interest.event_types;
        interest.topic == *message.topic
            && (types.is_empty() || types.iter().any(|one| Some(&**one) == event_type))
    })
}
