//! The one writer of a partition, on a thread of its own, for as long as the group gives the partition to this process.
//!
//! Before it writes, it makes sure that the group still means this process, ends whatever an earlier writer of the partition
//! has open (`init_transactions` under the partition's own transactional id, which also shuts that writer out), and waits until
//! everything that is stored was read. After anything that goes wrong it does the same again: what became of a transaction
//! that was not answered is then known, and is answered, or done anew.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jitney_core::message::Message;
use jitney_sourcing::{Error, ErrorKind};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::claim::{Answer, Command};
use super::ends;
use super::judge::{self, Judge};
use super::log::Log;
use super::place::Follower;
use super::queue::Queue;
use crate::cluster::{Cluster, Observer};
use crate::error;
use crate::member_context::MemberContext;
use crate::transaction::{Failed, Transactions};

/// The first pause before a partition is taken over once more; each further one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Writes to one partition.
pub(super) struct Writer {
    pub(super) cluster: Arc<Cluster>,
    pub(super) log: Arc<Log>,
    pub(super) queue: Arc<Queue>,
    pub(super) transactions: Transactions,
    /// The member of the group that was given the partition.
    pub(super) member: Weak<BaseConsumer<MemberContext>>,
    /// Sees what is not committed, too.
    pub(super) onlooker: Arc<Observer>,
    /// What was sent and not answered.
    pub(super) sent: Vec<Command>,
}

/// A request with the answer that it gets once its records are stored.
struct Judged {
    command: Command,
    answer: Answer,
    records: usize,
}

/// Says that the writer has ended when it is dropped.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Writer {
    /// Writes until the partition is revoked.
    pub(super) fn run(mut self) {
        // However it ends: nobody is to wait for a writer that is gone.
        let _end = End(Arc::clone(&self.queue));
        let mut pause = FIRST_PAUSE;
        while !self.queue.is_revoked() {
            match self.take_over() {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    self.queue.tell(None);
                    self.settle();
                    self.serve();
                }
                Err(error) => {
                    tracing::warn!(partition = &*self.queue.place, %error, "taking a partition of the event store over is tried again");
                    self.queue.tell(Some(error.to_string()));
                    if error.is_retryable() {
                        self.queue.forget_given_up();
                    } else {
                        self.queue.refuse_all(&error);
                    }
                    self.queue.pause(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        for command in self.sent.drain(..) {
            command.answer(Err(unknown(&self.queue.place)));
        }
        // It is gone before another process is told to go on.
        drop(self.transactions);
    }

    /// Answers what was sent and is stored; the rest is done anew.
    fn settle(&mut self) {
        let known = self.log.known();
        let mut again = Vec::new();
        for command in self.sent.drain(..) {
            match judge::stored(&known, &command.request) {
                Some(parts) => command.answer(Ok(parts)),
                None if command.put_back() => again.push(command),
                None => {}
            }
        }
        drop(known);
        self.queue.put_back(again.into_iter());
    }

    /// Does what is asked until something goes wrong, or the partition is revoked.
    fn serve(&mut self) {
        loop {
            let commands = self.queue.take();
            if commands.is_empty() {
                return;
            }
            let (mut judged, mut messages) = self.judge(&commands);
            if judged.iter().any(|(_, records)| *records == 0) {
                // An answer that rests on what is known alone. Another process may have taken the partition over unheard, and have stored what this one has not read yet.
                if let Err(error) = self.catch_up("answering without storing anything") {
                    self.put_back(commands, &error);
                    return;
                }
                (judged, messages) = self.judge(&commands);
            }
            let judged = commands.into_iter().zip(judged);
            let judged: Vec<_> =
                judged.map(|(command, (answer, records))| Judged { command, answer, records }).collect();
            match self.store(&messages, &judged) {
                Ok(()) => judged.into_iter().for_each(|judged| judged.command.answer(judged.answer)),
                Err((failed, code)) => {
                    self.failed(judged, failed, code);
                    return;
                }
            }
        }
    }

    /// The answer to each command, and how many of the messages are its.
    fn judge(&self, commands: &[Command]) -> (Vec<(Answer, usize)>, Vec<Message>) {
        let known = self.log.known();
        let mut judge = Judge::new(&known, &self.log.place().topic, &self.cluster.env);
        let mut all = Vec::new();
        let judged = commands.iter().map(|command| {
            let (answer, messages) = judge.judge(&command.request);
            let records = messages.len();
            all.extend(messages);
            (answer, records)
        });
        let judged = judged.collect();
        (judged, all)
    }

    /// Waits until everything that is stored now was read.
    fn catch_up(&self, doing: &str) -> Result<(), Error> {
        let (place, limit) = (self.log.place(), self.cluster.config.connect_timeout);
        let before = place.position();
        let ends = ends::ask(&*self.member(doing)?, [(&*place.topic, place.partition)], limit);
        let ends = ends.map_err(|found| super::failure::of_cluster(doing, error::client(doing, found)))?;
        ends.iter().try_for_each(|end| place.check_end(before, *end))?;
        place.block_until(limit, |position| ends.iter().all(|end| position >= *end))
    }

    /// Stores messages, and waits until every reader sees them.
    ///
    /// That the cluster has taken a transaction says too little: the next owner may abort it as long as it was not read (see
    /// [`take_over`](Self::take_over)). And that there are more records says nothing: they may be the next owner's.
    fn store(&mut self, messages: &[Message], judged: &[Judged]) -> Result<(), (Failed, Option<Code>)> {
        // A transaction is there whole or not at all.
        let Some(last) = judged.iter().rfind(|judged| judged.records > 0) else { return Ok(()) };
        let refs: Vec<&Message> = messages.iter().collect();
        self.transactions.run_prepared(&refs)?;
        let is_read =
            |position| judge::is_read(&self.log.known(), position, &last.command.request, &last.answer);
        let limit = self.cluster.config.transaction_timeout;
        self.log.place().block_until(limit, is_read).map_err(|error| {
            let error = jitney_core::Error::new(jitney_core::ErrorKind::Unknown, error.to_string());
            (Failed::Unknown(error), None)
        })
    }

    /// Puts commands back of which nothing was stored.
    fn put_back(&self, commands: Vec<Command>, error: &Error) {
        tracing::warn!(partition = &*self.queue.place, %error, "appends to the event store wait");
        self.queue.tell(Some(error.to_string()));
        let commands: Vec<_> = commands.into_iter().filter(Command::put_back).collect();
        self.queue.put_back(commands.into_iter());
    }

    /// Keeps what is to be found out or to be done anew, and answers what was to blame.
    fn failed(&mut self, judged: Vec<Judged>, failed: Failed, code: Option<Code>) {
        let is_too_large = code == Some(Code::MessageSizeTooLarge);
        let blamed = match &failed {
            // A batch is refused as a whole: each is judged for itself when it has one of its own.
            Failed::Aborted(..) if is_too_large && self.transactions.send_singly() => None,
            Failed::Aborted(error, Some(index)) if !error.is_retryable() => Some(*index),
            _ => None,
        };
        let error = failed.into_error();
        tracing::warn!(partition = &*self.queue.place, %error, "a transaction of the event store failed");
        self.queue.tell(Some(error.to_string()));
        let (mut first, mut anew) = (0, Vec::new());
        for Judged { command, records, .. } in judged {
            let own = first..first + records;
            first = own.end;
            match blamed {
                Some(index) if own.contains(&index) => {
                    let error =
                        Error::new(ErrorKind::Invalid, format!("appending: {error}; nothing was stored"));
                    command.answer(Err(error));
                }
                // It was refused by what may not be stored: it is judged anew.
                _ if records == 0 => anew.push(command),
                _ => self.sent.push(command),
            }
        }
        anew.retain(Command::put_back);
        self.queue.put_back(anew.into_iter());
    }
}

/// What is said of a request that was sent, where the partition was lost before it was answered.
pub(super) fn unknown(place: &str) -> Error {
    let what = format!(
        "appending: partition {place} went to another process before it was known whether the events are stored; append them again \
         under the same ids"
    );
    Error::new(ErrorKind::Unknown, what)
}
