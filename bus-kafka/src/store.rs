//! An event store on Kafka: a topic for each aggregate type, whose records are the events, as the bus would publish them.
//!
//! ```no_run
//! use jitney_kafka::KafkaStore;
//! # use jitney_sourcing::{Error, EventStore, ReadStream, StreamId};
//!
//! # async fn example() -> Result<(), Error> {
//! let store = KafkaStore::connect("kafka://localhost:9092/?create_topics=true", ["Order"]).await?;
//! let events = store.read_stream(&StreamId::new("Order", "42"), ReadStream::forward()).await?;
//! # Ok(()) }
//! ```
//!
//! - **Writing.** Each partition has one writer: the process that a consumer group gives the partition to. It checks what is
//!   expected against what it has read, and stores each append in a transaction. Whoever takes a partition over shuts the
//!   one before out, and reads up to the end first. Other processes answer
//!   [`NotOwner`](jitney_sourcing::ErrorKind::NotOwner).
//! - **Reading.** Each process reads all partitions from their beginning once, and stays at their ends; it keeps where the
//!   events of each stream are. A read asks the cluster for the end first, and answers when that was reached.
//! - **Several streams** go into one append where they are of one type and on one partition.

mod builder;
mod claim;
mod ends;
mod event_store;
mod failure;
mod fetcher;
mod judge;
mod log;
mod murmur2;
mod ownership;
mod place;
mod queue;
mod reads;
mod shelf;
mod snapshots;
mod tail;
mod takeover;
mod topics;
mod wire;
mod writer;
mod writes;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney_core::Env;
use jitney_core::personal::Sealer;
use jitney_sourcing::{Error, ErrorKind, Position, Sealing, StreamId};
use tokio::sync::OnceCell;

use self::fetcher::Fetcher;
use self::log::Log;
use self::ownership::Ownership;
use self::place::{Follower, Place};
use self::shelf::Shelf;
use self::tail::Tail;
use crate::cluster::Cluster;
use crate::publisher::Publisher;

pub use builder::StoreBuilder;

/// Keeps events in topics of Kafka; clones are the same store. Each call to [`connect`](Self::connect) makes another, which is
/// to the cluster what another process is. What it can do, and what it is not good for, is said in `docs/kafka-store.md`.
///
/// Dropping the last clone gives its partitions to other processes.
#[derive(Clone)]
pub struct KafkaStore {
    inner: Arc<Inner>,
    sealing: Sealing,
}

struct Inner {
    cluster: Arc<Cluster>,
    /// The name of the store.
    name: String,
    session_timeout: Duration,
    answer_within: Duration,
    types: HashMap<String, Type>,
    /// The partitions of all types, in the order of their names.
    logs: Vec<Arc<Log>>,
    shelves: Vec<Arc<Shelf>>,
    fetcher: Fetcher,
    publisher: Publisher,
    tail: Tail,
}

/// An aggregate type, with its topic.
struct Type {
    logs: Vec<Arc<Log>>,
    /// All of them were read up once: until then nobody can say that a stream is where it belongs.
    is_read_up: OnceCell<()>,
    /// Joined with the first write.
    ownership: Mutex<Option<Arc<Ownership>>>,
}

impl KafkaStore {
    /// Opens the store of `aggregate_types` on the cluster of `url`, which is written as for
    /// [`Kafka::from_url`](crate::Kafka::from_url). The topics must keep everything; with `create_topics=true` those that are
    /// missing are made so.
    ///
    /// It reads what there is from the beginning in the background; the first calls wait for that.
    ///
    /// # Errors
    ///
    /// As [`StoreBuilder::connect`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives the connection up. Topics that were made stay.
    pub async fn connect<T: Into<String>>(
        url: &str,
        aggregate_types: impl IntoIterator<Item = T>,
    ) -> Result<Self, Error> {
        KafkaStore::builder(url).aggregate_types(aggregate_types).connect().await
    }

    /// The set-up of a store on the cluster of `url`.
    pub fn builder(url: &str) -> StoreBuilder {
        StoreBuilder::new(url)
    }

    /// The same store. Has `sealer` seal the personal data of what goes into it, and open it for who reads; who else reads the topics
    /// gets it sealed. A store that was given none refuses events with personal data.
    #[must_use]
    pub fn sealed_by(self, sealer: impl Sealer) -> Self {
        KafkaStore { sealing: Sealing::by(sealer), ..self }
    }

    /// What the store and its topics are called, for messages.
    fn described(&self) -> String {
        format!("the event store `{}` in {}", self.inner.name, self.inner.cluster.config.describe())
    }

    fn env(&self) -> &Env {
        &self.inner.cluster.env
    }

    /// The type of a stream's aggregate, and the partition that the stream is on. The first call for a type waits until all
    /// of it was read.
    async fn locate(&self, stream: &StreamId) -> Result<(&Type, &Arc<Log>), Error> {
        stream.check()?;
        let Some(of_type) = self.inner.types.get(stream.aggregate_type()) else {
            let mut known: Vec<_> = self.inner.types.keys().map(String::as_str).collect();
            known.sort_unstable();
            let what = format!(
                "using stream {stream}: the store was opened for the aggregate types {}; name this one there too",
                known.join(", ")
            );
            return Err(Error::new(ErrorKind::Unsupported, what));
        };
        let read_up = || async {
            let logs: Vec<&Log> = of_type.logs.iter().map(|log| &**log).collect();
            self.read_up(&logs).await.map(drop)
        };
        of_type.is_read_up.get_or_try_init(read_up).await?;
        of_type.logs.iter().try_for_each(|log| log.check_partitions(stream))?;
        let partitions = u32::try_from(of_type.logs.len()).unwrap_or(u32::MAX);
        let partition = murmur2::partition(stream.aggregate_id().as_bytes(), partitions);
        Ok((of_type, &of_type.logs[partition as usize]))
    }

    /// Where partitions end for readers of what is committed.
    async fn ends(&self, places: &[&Place]) -> Result<Vec<u64>, Error> {
        let doing = format!("asking where {} ends", self.described());
        let asked: Vec<_> = places.iter().map(|place| (place.topic.clone(), place.partition)).collect();
        let answer = self.inner.cluster.ask(&doing, move |observer, limit| {
            ends::ask(observer, asked.iter().map(|(topic, partition)| (&**topic, *partition)), limit)
        });
        answer.await.map_err(|error| failure::of_cluster(&doing, error))
    }

    /// Waits until everything was read that was stored in these partitions before this was called, and answers where that ends.
    async fn read_up<F: Follower>(&self, followers: &[&F]) -> Result<Vec<u64>, Error> {
        let places: Vec<&Place> = followers.iter().map(|follower| follower.place()).collect();
        let before: Vec<u64> = places.iter().map(|place| place.position()).collect();
        let ends = self.ends(&places).await?;
        for ((place, end), before) in places.iter().zip(&ends).zip(before) {
            place.check_end(before, *end)?;
            place.reached(*end, self.env(), self.inner.answer_within).await?;
        }
        Ok(ends)
    }

    /// The position of these offsets, one for each partition of [`Inner::logs`].
    fn position_of(&self, offsets: &[u64]) -> Position {
        let names = self.inner.logs.iter().map(|log| log.place().name.clone());
        Position::offsets(names.zip(offsets.iter().copied()))
    }
}

impl fmt::Debug for KafkaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.inner.cluster.config.describe();
        f.debug_struct("KafkaStore")
            .field("name", &self.inner.name)
            .field("url", &url)
            .finish_non_exhaustive()
    }
}
