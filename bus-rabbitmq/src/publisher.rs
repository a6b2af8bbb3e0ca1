//! Publishing: messages are written out in the order of the calls, and each call waits for its own confirms.
//!
//! A call that finds an open channel writes all of its messages at once, in its first poll, and then reads its confirms in
//! order: no task and no queue stands between. Calls that find none wait in a line. One task at a time mends the line: it
//! opens a channel, declares topics that are new, and sends in the order of the calls what waits, and what was sent and not
//! confirmed when the last channel ended; that may then be stored twice, under one message id.
//!
//! The server ends a channel for one bad message on it, and does not say which. What was under way is then sent one by one,
//! so that each is judged for itself.

mod call;
mod line;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use jitney_core::message::{Message, Outbound};
use jitney_core::transport::Published;
use jitney_core::{Error, ErrorKind};
use lapin::options::ConfirmSelectOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::sync::Notify;

use crate::config::Unroutable;
use crate::link::Link;
use crate::wire::Unwritable;
use crate::{error, names, retry_queues, topology, wire};

use call::{Answer, Call, Look};
use line::Line;

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Events, to the exchanges of their topics.
    Events,
    /// What groups put aside, to queues of their own. It is larger than what was delivered, and that was taken once.
    Aside,
}

/// Publishes over one connection, on a channel of its own.
pub(crate) struct Publisher {
    link: Arc<Link>,
    purpose: Purpose,
    /// Messages that no queue takes come back, and are answered for.
    returns: bool,
    line: Mutex<Line>,
    /// Told when a call ends.
    ended: Notify,
}

impl Publisher {
    /// Publishes what the application does.
    pub(crate) fn new(link: Arc<Link>) -> Self {
        let returns = link.config.unroutable == Unroutable::Reject;
        Publisher::of(Purpose::Events, returns, link)
    }

    /// Publishes to queues of groups what they put aside.
    pub(crate) fn aside(link: Arc<Link>) -> Self {
        Publisher::of(Purpose::Aside, true, link)
    }

    fn of(purpose: Purpose, returns: bool, link: Arc<Link>) -> Self {
        Publisher { link, purpose, returns, line: Mutex::default(), ended: Notify::new() }
    }

    /// Stores the messages of `batch`; answers one outcome for each. Dropped, it leaves the outcomes unknown.
    pub(crate) async fn publish(self: &Arc<Self>, batch: Vec<Outbound>) -> Vec<Published> {
        let call = Arc::new(Call::new(batch));
        for (index, outbound) in call.batch.iter().enumerate() {
            if let Err(error) = self.check(outbound) {
                call.settle(index, Err(error));
            }
        }
        let Some(ticket) = self.join(&call) else {
            return call
                .batch
                .iter()
                .map(|outbound| rejected(error::closed(&self.doing(&outbound.message))))
                .collect();
        };
        let _leaving = Leaving { publisher: self, ticket };
        let limit = self.link.config.publish_timeout;
        let answered = poll_fn(|cx| self.poll(&call, cx));
        // Beyond the limit each message is what it is then.
        let _ = self.link.env.timeout(limit, answered).await;
        call.outcomes(|message, was_sent| self.overdue(message, was_sent))
    }

    /// Stores one message.
    pub(crate) async fn publish_one(self: &Arc<Self>, message: Outbound) -> Published {
        let outcome = self.publish(vec![message]).await.pop();
        outcome.expect("a call answers one outcome for each message")
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Takes nothing more, and waits for the calls under way, within `limit`.
    pub(crate) async fn close(&self, limit: Duration) -> Result<(), Error> {
        self.lock().is_closed = true;
        let all_ended = async {
            loop {
                let ended = self.ended.notified();
                if self.lock().calls.is_empty() {
                    return;
                }
                ended.await;
            }
        };
        self.link.env.timeout(limit, all_ended).await.map_err(|_| {
            let what = format!(
                "sending what waits for {}: not all of it was confirmed within {limit:?}",
                self.link.describe()
            );
            Error::new(ErrorKind::Unknown, what)
        })
    }

    /// Enters `call` into the line, and sends it where that can be done at once. None where the line is closed.
    fn join(self: &Arc<Self>, call: &Arc<Call>) -> Option<u64> {
        let mut line = self.lock();
        if line.is_closed {
            return None;
        }
        let ticket = line.enter(Arc::clone(call));
        if line.is_mending {
            return Some(ticket);
        }
        if let Some(channel) = &line.channel
            && call.missing_topic(|topic| !self.is_declared(&line, topic)).is_none()
        {
            self.send_all(channel, ticket, call);
        }
        if call.has_waiting() {
            self.mend(&mut line);
        }
        Some(ticket)
    }

    fn is_declared(&self, line: &Line, topic: &str) -> bool {
        self.purpose == Purpose::Aside || line.declared.contains(topic)
    }

    /// Reads the confirms of `call`, as far as they are there.
    fn poll(self: &Arc<Self>, call: &Arc<Call>, cx: &mut Context<'_>) -> Poll<()> {
        let look = match self.returns {
            false => call.poll(cx, |message, answer| self.outcome(message, answer)),
            true => {
                call.register(cx.waker());
                self.read(call)
            }
        };
        match look {
            Look::Done => Poll::Ready(()),
            Look::Waiting => Poll::Pending,
            Look::Interrupted(error) => {
                let mut line = self.lock();
                line.interrupted(&error);
                // A task at work finds what waits.
                if !line.is_mending {
                    self.mend(&mut line);
                }
                Poll::Pending
            }
        }
    }

    /// Reads the confirms of `own`, and of others with it: any of them may tell of a message that came back.
    fn read(&self, own: &Call) -> Look {
        let mut line = self.lock();
        // Who looked first has read for all that were woken with it.
        if own.is_done() {
            return Look::Done;
        }
        let interruption = line.read(own, |message| self.unroutable(message));
        if let Some(error) = interruption {
            return Look::Interrupted(error);
        }
        if own.is_confirmed() {
            for call in line.calls.values() {
                call.finish(|message, answer| self.outcome(message, answer));
            }
        }
        if own.is_done() { Look::Done } else { Look::Waiting }
    }

    /// What the server's answer means for a message that did not come back.
    fn outcome(&self, message: &Message, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Ack => Ok(()),
            // One of the queues could not store it, and others may have.
            Answer::Nack => {
                let what = format!(
                    "{}: the server could not store it in all queues, and may have in some; publish it again",
                    self.doing(message)
                );
                Err(Error::new(ErrorKind::Unknown, what))
            }
        }
    }

    /// Begins to mend the line, in a task of its own.
    fn mend(self: &Arc<Self>, line: &mut Line) {
        line.is_mending = true;
        let publisher = Arc::clone(self);
        drop(self.link.env.spawn(async move { publisher.mended().await }));
    }

    /// Works until everything that waits in the line was sent.
    async fn mended(self: Arc<Self>) {
        let mut failures = 0;
        loop {
            {
                let mut line = self.lock();
                if !line.calls.values().any(|call| !call.is_done()) {
                    line.is_mending = false;
                    return;
                }
            }
            let doing = format!("opening a channel to {}", self.link.describe());
            let channel = match self.link.ask(&doing, self.usable_channel(&doing)).await {
                Ok(channel) => channel,
                Err(error) if error.is_retryable() => {
                    failures += 1;
                    self.link.env.sleep(self.link.pause(failures)).await;
                    continue;
                }
                Err(error) => return self.lock().refuse_all(|message| self.refused(message, &error)),
            };
            let (wanted, is_suspect) = {
                let mut line = self.lock();
                line.recall(|message| self.unroutable(message));
                (line.wanted(|line, topic| !self.is_declared(line, topic)), line.is_suspect)
            };
            if let Some(topic) = wanted {
                self.declare(&channel, topic).await;
                continue;
            }
            if is_suspect {
                self.send_singly(&channel).await;
                continue;
            }
            let mut line = self.lock();
            if line.wanted(|line, topic| !self.is_declared(line, topic)).is_some() {
                continue;
            }
            for (ticket, call) in &line.calls {
                self.send_all(&channel, *ticket, call);
                call.wake();
            }
            if line.next_waiting().is_none() {
                line.is_mending = false;
                return;
            }
        }
    }

    /// The open channel, or a new one.
    async fn usable_channel(&self, doing: &str) -> Result<Arc<Channel>, Error> {
        let open = self.lock().channel.clone().filter(|channel| channel.status().connected());
        if let Some(open) = open {
            return Ok(open);
        }
        let channel = self.link.channel().await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default()).await;
        confirms.map_err(|error| error::failed(doing, &error))?;
        self.lock().replace(Arc::clone(&channel));
        Ok(channel)
    }

    async fn declare(&self, channel: &Channel, topic: String) {
        match topology::exchange(channel, &topic).await {
            Ok(()) => drop(self.lock().declared.insert(topic)),
            // Tried again, with the next channel.
            Err(error) if error.is_retryable() => {}
            Err(error) => self.lock().refuse(&topic, |message| self.refused(message, &error)),
        }
    }

    /// Sends the first message that waits and reads its confirm; or finds that none waits any more.
    async fn send_singly(&self, channel: &Arc<Channel>) {
        let next = {
            let mut line = self.lock();
            let next = line.next_waiting();
            line.is_suspect = next.is_some();
            next
        };
        let Some((ticket, call, index)) = next else { return };
        self.send(channel, ticket, &call, index);
        let Some(confirm) = call.take(index) else { return };
        match confirm.await {
            Ok(Confirmation::Ack(Some(_))) => {
                call.settle(index, Err(self.unroutable(&call.batch[index].message)))
            }
            Ok(confirmation) => {
                call.settle(index, self.outcome(&call.batch[index].message, Answer::from(&confirmation)));
            }
            Err(error) if error.is_amqp_soft_error() => {
                call.settle(
                    index,
                    Err(error::not_published(&self.doing(&call.batch[index].message), &error)),
                );
            }
            // It waits again.
            Err(_) => {}
        }
        call.wake();
    }

    /// Writes what waits of `call`.
    fn send_all(&self, channel: &Arc<Channel>, ticket: u64, call: &Call) {
        for index in 0..call.batch.len() {
            if call.is_waiting(index) {
                self.send(channel, ticket, call, index);
            }
        }
    }

    fn send(&self, channel: &Arc<Channel>, ticket: u64, call: &Call, index: usize) {
        let Outbound { message, attributes } = &call.batch[index];
        let written = self.written(&call.batch[index]).and_then(|properties| {
            let doing = self.doing(message);
            Ok(match self.purpose {
                Purpose::Events => {
                    let aggregate = attributes.as_ref().map_or("", |about| &about.aggregate_type);
                    let known = wire::event_type(message, attributes.as_ref());
                    let event_type = known.or_else(|| self.link.config.codec.peek_event_type(message));
                    let key = names::routing_key(aggregate, event_type.unwrap_or_default());
                    (names::exchange(&doing, &message.topic)?, names::short(&doing, &key)?, properties)
                }
                Purpose::Aside => ("".into(), names::short(&doing, &message.topic)?, properties),
            })
        });
        match written {
            Ok((exchange, key, properties)) => {
                let properties = match self.returns {
                    true => wire::ticketed(properties, &line::ticket(ticket, index)),
                    false => properties,
                };
                call.send(index, channel, (exchange, key), properties, self.returns);
            }
            Err(error) => call.settle(index, Err(rejection(error))),
        }
    }

    fn written(&self, outbound: &Outbound) -> Result<BasicProperties, Error> {
        let Outbound { message, attributes } = outbound;
        let codec = &self.link.config.codec;
        // What is not for headers and key is for what a dead letter adds.
        let most = match self.purpose {
            Purpose::Events => self.link.frame_max() / 4 * 3,
            Purpose::Aside => self.link.frame_max(),
        };
        let written = wire::properties(message, attributes.as_ref(), codec.content_type(), most);
        let properties = written.map_err(|error| {
            let doing = self.doing(message);
            let what = match error {
                Unwritable::HeaderName(name) => format!(
                    "{doing}: the name of the header `{name}…` is longer than the 255 bytes that AMQP allows; use a shorter one"
                ),
                Unwritable::Headers(bytes) => format!(
                    "{doing}: headers and key take {bytes} bytes, and {most} fit into a frame beside what else is in it; put \
                     large values into the body"
                ),
            };
            Error::new(ErrorKind::Rejected, what)
        })?;
        Ok(match (self.purpose, retry_queues::expiration(message)) {
            (Purpose::Aside, Some(millis)) => properties.with_expiration(millis.to_string().into()),
            _ => properties,
        })
    }

    /// Whether a message can be sent at all.
    fn check(&self, outbound: &Outbound) -> Result<(), Error> {
        let message = &outbound.message;
        let (size, most) = (message.size(), self.link.config.max_message_bytes);
        if self.purpose == Purpose::Events && size > most {
            let what = format!(
                "{}: the message has {size} bytes with key and headers, and {most} are allowed; raise `max_message_bytes` (and the \
                 server's `max_message_size`), or publish a reference to large data",
                self.doing(message),
            );
            return Err(Error::new(ErrorKind::Rejected, what));
        }
        Ok(())
    }

    /// What became of a message whose time is up.
    fn overdue(&self, message: &Message, was_sent: bool) -> Error {
        let (doing, limit) = (self.doing(message), self.link.config.publish_timeout);
        match was_sent {
            true => Error::new(
                ErrorKind::Unknown,
                format!(
                    "{doing}: it was not confirmed within {limit:?} (`publish_timeout`), and may or may not be stored: see that the \
                     server is there and has no memory or disk alarm"
                ),
            ),
            false => Error::new(
                ErrorKind::Rejected,
                format!("{doing}: it could not be sent within {limit:?} (`publish_timeout`): see that the server is there"),
            )
            .retryable(true),
        }
    }

    fn unroutable(&self, message: &Message) -> Error {
        let doing = self.doing(message);
        match self.purpose {
            Purpose::Events => {
                let what = format!(
                    "{doing}: no queue is bound to exchange `{}` for `{}`; start the group that handles it first, or accept that \
                     nobody listens with `unroutable=accept`",
                    message.topic,
                    message.header_str(jitney_core::codec::EVENT_TYPE_HEADER).unwrap_or("its event type"),
                );
                Error::new(ErrorKind::Rejected, what)
            }
            Purpose::Aside => {
                let what = format!(
                    "{doing}: there is no such queue any more; it is declared again when the group connects"
                );
                Error::new(ErrorKind::Rejected, what).retryable(true)
            }
        }
    }

    fn refused(&self, message: &Message, why: &Error) -> Error {
        let what = format!("{}: {why}", self.doing(message));
        let kind = if why.kind() == ErrorKind::Closed { ErrorKind::Closed } else { ErrorKind::Rejected };
        Error::new(kind, what).retryable(why.is_retryable())
    }

    fn doing(&self, message: &Message) -> String {
        let place = if self.purpose == Purpose::Events { "topic" } else { "queue" };
        format!("publishing to {place} `{}` of {}", message.topic, self.link.describe())
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a call out of the line when it ends, in whatever way.
struct Leaving<'p> {
    publisher: &'p Publisher,
    ticket: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.publisher.lock().leave(self.ticket);
        self.publisher.ended.notify_waiters();
    }
}

fn rejection(error: Error) -> Error {
    let retryable = error.is_retryable();
    Error::new(ErrorKind::Rejected, error.to_string()).retryable(retryable).with_source(error)
}

fn rejected(error: Error) -> Published {
    match error.kind() {
        ErrorKind::Unknown => Published::Unknown(error),
        _ => Published::Rejected(error),
    }
}
