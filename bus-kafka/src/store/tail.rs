//! The thread that reads all partitions of a store, from their first record on, and stays at their ends.
//!
//! It is the only way in which anything becomes known here, what this process has written included: so what is known is what
//! every reader of committed records sees.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use super::place::Follower;
use crate::cluster::{Cluster, Observer};
use crate::error;
use crate::record;

/// The longest time between two looks at what has come.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a question to the cluster may take on this thread.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// So many records are taken before it is told how far that is.
const AT_ONCE: usize = 2_000;

/// Reads partitions for as long as it lives.
pub(super) struct Tail {
    is_over: Arc<AtomicBool>,
    look: Sender<()>,
    ticks: watch::Receiver<()>,
}

impl Tail {
    /// Has each of `followers` take the records of its partition.
    ///
    /// # Errors
    ///
    /// When the client or its thread cannot be made.
    pub(super) fn start(
        cluster: &Cluster,
        followers: Vec<Arc<dyn Follower>>,
    ) -> Result<Self, jitney_core::Error> {
        let doing = format!("following the event store in {}", cluster.config.describe());
        let mut consumer = cluster.follower()?;
        let (look, looks) = channel();
        let told = look.clone();
        consumer.set_nonempty_callback(move || {
            // It has ended by itself where nobody hears this.
            let _ = told.send(());
        });
        let mut places = TopicPartitionList::new();
        let mut topics: HashMap<Box<str>, HashMap<i32, Arc<dyn Follower>>> = HashMap::new();
        for follower in followers {
            let (topic, partition) = (follower.place().topic.to_string(), follower.place().partition);
            let added = places.add_partition_offset(&topic, partition, Offset::Offset(0));
            added.map_err(|error| error::client(&doing, error))?;
            topics.entry(topic.into()).or_default().insert(partition, follower);
        }
        consumer.assign(&places).map_err(|error| error::client(&doing, error))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (tick, ticks) = watch::channel(());
        let following = Following { consumer, topics, looks, is_over: Arc::clone(&is_over), tick };
        let thread = std::thread::Builder::new().name("jitney-kafka-tail".to_owned());
        thread.spawn(move || following.run()).map_err(|source| {
            jitney_core::Error::new(jitney_core::ErrorKind::Transport, doing).with_source(source)
        })?;
        Ok(Tail { is_over, look, ticks })
    }

    /// Hears each time when more may have been read.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.ticks.clone()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // It has ended by itself where nobody hears this.
        let _ = self.look.send(());
    }
}

struct Following {
    consumer: Observer,
    topics: HashMap<Box<str>, HashMap<i32, Arc<dyn Follower>>>,
    looks: Receiver<()>,
    is_over: Arc<AtomicBool>,
    tick: watch::Sender<()>,
}

impl Following {
    fn run(self) {
        loop {
            if self.looks.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            // One look serves all that were asked for so far.
            while self.looks.try_recv().is_ok() {}
            loop {
                if self.is_over.load(Ordering::Acquire) {
                    return;
                }
                let taken = self.take();
                self.tell();
                self.tick.send_replace(());
                if taken == 0 {
                    break;
                }
            }
        }
    }

    /// Takes what has come, up to a bound.
    fn take(&self) -> usize {
        let (mut taken, mut silent) = (0, 0);
        // An event that is served inside looks the same as none.
        while taken < AT_ONCE && silent < 2 {
            match self.consumer.poll(Duration::ZERO) {
                None => silent += 1,
                Some(Err(error)) => self.failed(&error),
                Some(Ok(record)) => {
                    taken += 1;
                    let follower = self.topics.get(record.topic()).and_then(|of| of.get(&record.partition()));
                    if let (Some(follower), Ok(offset)) = (follower, u64::try_from(record.offset())) {
                        follower.take(offset, record::message(&record, follower.place().topic.clone()));
                    }
                }
            }
        }
        taken
    }

    /// Tells how far all of them were read, marks of transactions included.
    fn tell(&self) {
        match self.consumer.position() {
            Ok(positions) => {
                for element in positions.elements() {
                    let follower =
                        self.topics.get(element.topic()).and_then(|of| of.get(&element.partition()));
                    if let (Some(follower), Offset::Offset(offset)) = (follower, element.offset()) {
                        follower.place().reach(u64::try_from(offset).unwrap_or(0));
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "asking how far the event store was read failed"),
        }
    }

    fn failed(&self, error: &KafkaError) {
        tracing::warn!(%error, "following the event store was interrupted");
        if error.rdkafka_error_code() != Some(Code::AutoOffsetReset) {
            return;
        }
        // A place is not there. The client does not say in which partition, but only the first record can be missing.
        for follower in self.topics.values().flat_map(HashMap::values) {
            let place = follower.place();
            if place.position() > 0 {
                continue;
            }
            let first = self.consumer.fetch_watermarks(&place.topic, place.partition, ANSWER_WITHIN);
            if first.is_ok_and(|(first, _)| first > 0) {
                place.fail(format!(
                    "reading partition {} from its first record: records of an event store were deleted; restore the topic",
                    place.name
                ));
            }
        }
    }
}
