//! How a store is set up.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney_core::Env;
use jitney_sourcing::{Error, ErrorKind, Sealing};
use tokio::sync::OnceCell;

use super::fetcher::Fetcher;
use super::log::Log;
use super::place::{Follower, Place};
use super::shelf::Shelf;
use super::tail::Tail;
use super::topics::{self, Use};
use super::{Inner, KafkaStore, Type, failure};
use crate::cluster::Cluster;
use crate::config::Builder;
use crate::publisher::Publisher;

/// The shortest session that is taken: the group would take a busy process for dead.
const LEAST_SESSION: Duration = Duration::from_secs(1);

/// The set-up of a [`KafkaStore`]; made by [`KafkaStore::builder`].
#[derive(Clone)]
#[must_use]
pub struct StoreBuilder {
    url: String,
    name: String,
    topic_prefix: String,
    aggregate_types: Vec<String>,
    session_timeout: Duration,
    answer_within: Duration,
    cache_bytes: usize,
    env: Env,
}

impl StoreBuilder {
    pub(super) fn new(url: &str) -> Self {
        StoreBuilder {
            url: url.to_owned(),
            name: "jitney".to_owned(),
            topic_prefix: String::new(),
            aggregate_types: Vec::new(),
            session_timeout: Duration::from_secs(6),
            answer_within: Duration::from_secs(15),
            cache_bytes: 64 << 20,
            env: Env::system(),
        }
    }

    /// The aggregate types whose events the store keeps, each in the topic `{type}-events`. It takes no others, and a read of
    /// all events is one of these. A topic's name sets what they may be: letters, digits, `.`, `_` and `-`.
    pub fn aggregate_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.aggregate_types.extend(types.into_iter().map(Into::into));
        self
    }

    /// What the group is called that shares out partitions (`{name}.{topic}`), the transactions and the topic of snapshots
    /// (`{name}-snapshots`); `jitney` unless told otherwise. All that write to a topic must give the same name: two of
    /// different names would not know of each other.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What the names of all topics begin with; nothing unless told otherwise.
    pub fn topic_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.topic_prefix = prefix.into();
        self
    }

    /// After how long without a sign of life a process loses its partitions to others; 6 seconds unless told otherwise, which
    /// is the least that brokers allow by default (`group.min.session.timeout.ms`). After a crash nobody writes to the
    /// partitions for as long, unless the process has an `instance_id` and is back before.
    pub fn session_timeout(mut self, limit: Duration) -> Self {
        self.session_timeout = limit;
        self
    }

    /// How long an append, and a read that waits for the end of a partition, may take before it is answered with an error
    /// that is retryable; 15 seconds unless told otherwise.
    pub fn answer_within(mut self, limit: Duration) -> Self {
        self.answer_within = limit;
        self
    }

    /// How many bytes of the newest events, and as many of snapshots, are kept in memory, shared out among partitions; 64 MiB
    /// unless told otherwise. Older ones are read from the brokers again when they are wanted.
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Where time and randomness come from.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) where the URL or a name is wrong, a topic is missing and may not be made, or does
    /// not keep everything; of kind [`Store`](ErrorKind::Store) where the cluster does not answer.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives the connection up. Topics that were made stay.
    pub async fn connect(mut self) -> Result<KafkaStore, Error> {
        self.aggregate_types.sort_unstable();
        self.aggregate_types.dedup();
        let doing = "opening an event store on kafka";
        let failed = |error| failure::of_cluster(doing, error);
        self.check()?;
        let config = Builder::from_url(&self.url).map_err(failed)?.config;
        let cluster = Arc::new(Cluster::connect(config, self.env.clone()).await.map_err(failed)?);
        let topic = |aggregate_type: &String| format!("{}{aggregate_type}-events", self.topic_prefix);
        let mut wanted: Vec<_> =
            self.aggregate_types.iter().map(|aggregate_type| (topic(aggregate_type), Use::Events)).collect();
        wanted.push((format!("{}{}-snapshots", self.topic_prefix, self.name), Use::Snapshots));
        let partitions = topics::verify(&cluster, &wanted).await.map_err(failed)?;
        let all: u32 = partitions[..self.aggregate_types.len()].iter().sum();
        let of_snapshots = partitions[self.aggregate_types.len()];
        let mut types = HashMap::new();
        let mut logs = Vec::new();
        for ((aggregate_type, (topic, _)), count) in self.aggregate_types.iter().zip(&wanted).zip(&partitions)
        {
            let bytes = self.cache_bytes / all.max(1) as usize;
            let of_type: Vec<_> = (0..*count)
                .map(|number| Arc::new(Log::new(Place::new(topic, number), aggregate_type, *count, bytes)))
                .collect();
            logs.extend(of_type.iter().cloned());
            types.insert(
                aggregate_type.clone(),
                Type { logs: of_type, is_read_up: OnceCell::new(), ownership: Mutex::default() },
            );
        }
        let bytes = self.cache_bytes / of_snapshots.max(1) as usize;
        let (snapshots, _) = &wanted[self.aggregate_types.len()];
        let shelves: Vec<_> = (0..of_snapshots)
            .map(|number| Arc::new(Shelf::new(Place::new(snapshots, number), bytes)))
            .collect();
        let followers = logs.iter().map(|log| Arc::clone(log) as Arc<dyn Follower>);
        let followers = followers.chain(shelves.iter().map(|shelf| Arc::clone(shelf) as Arc<dyn Follower>));
        let tail = Tail::start(&cluster, followers.collect()).map_err(failed)?;
        let inner = Inner {
            fetcher: Fetcher::new(Arc::clone(&cluster), self.answer_within),
            publisher: Publisher::new(Arc::clone(&cluster)),
            cluster,
            name: self.name,
            session_timeout: self.session_timeout,
            answer_within: self.answer_within,
            types,
            logs,
            shelves,
            tail,
        };
        Ok(KafkaStore { inner: Arc::new(inner), sealing: Sealing::default() })
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |what: &str| {
            let what = format!("opening an event store on kafka: {what}");
            Err(Error::new(ErrorKind::Config, what))
        };
        if self.aggregate_types.is_empty() {
            return wrong(
                "it has no aggregate types, each of which has a topic; name them with `aggregate_types`",
            );
        }
        if self.session_timeout < LEAST_SESSION {
            return wrong(
                "`session_timeout` is below a second, and a busy process would lose its partitions",
            );
        }
        let names = self.aggregate_types.iter().map(|name| ("aggregate type", name));
        for (what, name) in names.chain([("name", &self.name), ("prefix of topics", &self.topic_prefix)]) {
            let checked = topics::check_name(what, name);
            checked.map_err(|error| failure::of_cluster("opening an event store on kafka", error))?;
            if name.is_empty() && what != "prefix of topics" {
                return wrong(&format!("the {what} is empty; choose another one"));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for StoreBuilder {
    /// Without the URL, which may have a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreBuilder")
            .field("name", &self.name)
            .field("aggregate_types", &self.aggregate_types)
            .finish_non_exhaustive()
    }
}
