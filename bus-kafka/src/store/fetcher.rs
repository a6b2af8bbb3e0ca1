//! Reads records again that are no longer kept in memory, by where they are.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jitney_core::message::{Message, Topic};
use jitney_sourcing::Error;
use rdkafka::consumer::Consumer;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::failure;
use super::place::Place;
use crate::cluster::{Cluster, Observer};
use crate::{error, record};

/// Records that are so many offsets apart are read with what is between them: going elsewhere takes a question to the broker.
const NEAR: u64 = 200;

/// The longest time between two looks at the deadline.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A record and where it is.
pub(super) type Read = (u64, Message);

/// Reads records, one request after the other, on a thread of its own.
pub(super) struct Fetcher {
    cluster: Arc<Cluster>,
    limit: Duration,
    requests: Mutex<Option<Sender<Request>>>,
}

struct Request {
    topic: Topic,
    partition: i32,
    wanted: Wanted,
    answer: oneshot::Sender<Result<Vec<Read>, jitney_core::Error>>,
}

enum Wanted {
    /// Those at these offsets, in ascending order, as far as they are there.
    These(Vec<u64>),
    /// Up to so many from the first offset on; no further than the second, behind which or at which there is a record.
    Some { from: u64, to: u64, limit: usize },
}

impl Fetcher {
    /// Reads from `cluster`, for no longer than `limit` a request.
    pub(super) fn new(cluster: Arc<Cluster>, limit: Duration) -> Self {
        Fetcher { cluster, limit, requests: Mutex::default() }
    }

    /// The records of a partition at `offsets`, which ascend, as far as they are there.
    pub(super) async fn these(&self, place: &Place, offsets: Vec<u64>) -> Result<Vec<Read>, Error> {
        self.ask(place, Wanted::These(offsets)).await
    }

    /// Up to `limit` records of a partition from `from` up to `to`. There is a record at `to`, or behind it.
    pub(super) async fn some(
        &self,
        place: &Place,
        from: u64,
        to: u64,
        limit: usize,
    ) -> Result<Vec<Read>, Error> {
        self.ask(place, Wanted::Some { from, to, limit }).await
    }

    async fn ask(&self, place: &Place, wanted: Wanted) -> Result<Vec<Read>, Error> {
        let doing = format!("reading records of partition {} again", place.name);
        let (answer, answered) = oneshot::channel();
        let request = Request { topic: place.topic.clone(), partition: place.partition, wanted, answer };
        self.send(request).map_err(|error| failure::of_cluster(&doing, error))?;
        let answered = answered.await.map_err(|_| failure::closed(&doing))?;
        answered.map_err(|error| failure::of_cluster(&doing, error))
    }

    /// Hands a request to the thread, which is started with the first one.
    fn send(&self, request: Request) -> Result<(), jitney_core::Error> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match &*requests {
            Some(known) => known,
            None => requests.insert(self.start()?),
        };
        // The thread ends with the sender; where it has panicked, the answer never comes, and that is told.
        let _ = known.send(request);
        Ok(())
    }

    fn start(&self) -> Result<Sender<Request>, jitney_core::Error> {
        let (sender, requests) = channel();
        let (cluster, consumer) = (Arc::clone(&self.cluster), self.cluster.fetcher()?);
        let fetching = Fetching { cluster, consumer, requests, limit: self.limit };
        let thread = std::thread::Builder::new().name("jitney-kafka-fetch".to_owned());
        thread.spawn(move || fetching.run()).map_err(|source| {
            let what = "starting a thread that reads records again";
            jitney_core::Error::new(jitney_core::ErrorKind::Transport, what).with_source(source)
        })?;
        Ok(sender)
    }
}

struct Fetching {
    cluster: Arc<Cluster>,
    consumer: Observer,
    requests: Receiver<Request>,
    limit: Duration,
}

impl Fetching {
    fn run(self) {
        while let Ok(request) = self.requests.recv() {
            if request.answer.is_closed() {
                continue;
            }
            let deadline = self.cluster.env.instant() + self.limit;
            let (topic, partition) = (&request.topic, request.partition);
            let read = match request.wanted {
                Wanted::Some { from, to, limit } => {
                    self.read(topic, partition, (from, to), limit, |_| true, deadline)
                }
                Wanted::These(offsets) => {
                    let runs = offsets.chunk_by(|one, next| next - one <= NEAR);
                    runs.map(|run| {
                        let (range, is_wanted) =
                            ((run[0], run[run.len() - 1]), |offset| run.binary_search(&offset).is_ok());
                        self.read(topic, partition, range, usize::MAX, is_wanted, deadline)
                    })
                    .collect::<Result<Vec<_>, _>>()
                    .map(|runs| runs.concat())
                }
            };
            // Whoever asked may have gone.
            let _ = request.answer.send(read);
        }
    }

    fn read(
        &self,
        topic: &Topic,
        partition: i32,
        (from, to): (u64, u64),
        limit: usize,
        is_wanted: impl Fn(u64) -> bool,
        deadline: Instant,
    ) -> Result<Vec<Read>, jitney_core::Error> {
        let doing = || format!("reading partition {partition} of `{topic}` from offset {from}");
        let failed = |error| error::client(&doing(), error);
        let mut places = TopicPartitionList::new();
        let start = Offset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
        places.add_partition_offset(topic, partition, start).map_err(failed)?;
        self.consumer.assign(&places).map_err(failed)?;
        let mut read = Vec::new();
        while read.len() < limit {
            match self.consumer.poll(LOOK_EVERY) {
                Some(Ok(record)) => {
                    let Ok(offset) = u64::try_from(record.offset()) else { continue };
                    // What came too early is of the request before.
                    if record.topic() != &**topic || record.partition() != partition || offset < from {
                        continue;
                    }
                    if offset <= to && is_wanted(offset) {
                        read.push((offset, record::message(&record, topic.clone())));
                    }
                    if offset >= to {
                        break;
                    }
                }
                Some(Err(error)) => tracing::warn!(%error, "{} was interrupted", doing()),
                None => {}
            }
            if self.cluster.env.instant() > deadline {
                let what = format!("{}: no answer within {:?}; try again", doing(), self.limit);
                return Err(jitney_core::Error::new(jitney_core::ErrorKind::Transport, what));
            }
        }
        Ok(read)
    }
}
