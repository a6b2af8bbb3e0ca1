//! A cluster as one transport sees it: its set-up, the topics that are known to exist, and the clients that ask about it.

#[cfg(feature = "store")]
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jitney_core::admin::TopicSpec;
use jitney_core::{Env, Error, ErrorKind};
#[cfg(feature = "store")]
use rdkafka::admin::OwnedResourceSpecifier;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{IsError, KafkaError, RDKafkaErrorCode as Code};
use tokio::sync::Mutex;

use crate::config::{Config, Role};
use crate::context::{Context, Trouble};
use crate::error;

impl ConsumerContext for Context {}

/// Asks a cluster about topics and positions.
pub(crate) type Observer = BaseConsumer<Context>;

/// One cluster.
pub(crate) struct Cluster {
    pub(crate) config: Config,
    pub(crate) env: Env,
    observer: Arc<Observer>,
    admin: AdminClient<Context>,
    known: RwLock<HashSet<Box<str>>>,
    /// Held while a topic is looked up, so that each is looked up once.
    looking_up: Mutex<()>,
}

/// The shape of a topic that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) partitions: u32,
    pub(crate) replication: u16,
}

impl Cluster {
    /// Finds the cluster of `config`.
    pub(crate) async fn connect(config: Config, env: Env) -> Result<Self, Error> {
        config.check()?;
        let doing = format!("connecting to {}", config.describe());
        let settings = config.native(&Role::Admin, "jitney");
        let context = Context::default();
        let observer: Observer = settings
            .create_with_context(context.clone())
            .map_err(|error| error::bad_settings(&doing, &error))?;
        let admin = settings
            .create_with_context(Context::default())
            .map_err(|error| error::bad_settings(&doing, &error))?;
        let cluster = Cluster {
            config,
            env,
            observer: Arc::new(observer),
            admin,
            known: RwLock::default(),
            looking_up: Mutex::new(()),
        };
        let (clock, listening) = (cluster.env.clone(), context.clone());
        let question = move |observer: &Observer, limit| {
            let deadline = clock.instant() + limit;
            let mut patience = FIRST_PATIENCE;
            loop {
                let left = deadline.saturating_duration_since(clock.instant());
                let answer = observer.fetch_metadata(Some(NO_TOPIC), left.min(patience));
                // Serves what connections have to say.
                for _ in 0..MANY_EVENTS {
                    observer.poll(Duration::ZERO);
                }
                if answer.is_ok() || left <= patience || is_final(listening.trouble().as_ref()) {
                    return answer.map(drop);
                }
                patience *= 2;
            }
        };
        match cluster.ask(&doing, question).await {
            Ok(()) => Ok(cluster),
            Err(error) => Err(not_reached(&cluster.config, &doing, &error, context.trouble())),
        }
    }

    /// Asks the cluster something that blocks, within the connect time-out; asks again where what is asked about has no leader
    /// or coordinator for the moment, as is so behind the making of a topic.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        doing: &str,
        mut question: impl FnMut(&Observer, Duration) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, Error> {
        let (observer, clock) = (Arc::clone(&self.observer), self.env.clone());
        let deadline = clock.instant() + self.config.connect_timeout;
        let asking = tokio::task::spawn_blocking(move || {
            loop {
                // Serves what connections have to say, which would pile up otherwise.
                observer.poll(Duration::ZERO);
                let left = deadline.saturating_duration_since(clock.instant());
                match question(&observer, left) {
                    Err(found) if left > ASK_AGAIN && error::has_no_leader(&found) => {
                        std::thread::sleep(ASK_AGAIN);
                    }
                    answer => return answer,
                }
            }
        });
        match asking.await {
            Ok(answer) => answer.map_err(|error| error::client(doing, error)),
            Err(_) => Err(Error::new(ErrorKind::Closed, format!("{doing}: the runtime is going down"))),
        }
    }

    /// A client that looks at the positions of `group` without being its member.
    pub(crate) fn observer_of(&self, group: &str) -> Result<Observer, Error> {
        let settings = self.config.native(&Role::Observer { group: group.to_owned() }, "jitney");
        let doing = format!("looking at group `{group}` of {}", self.config.describe());
        settings.create_with_context(Context::default()).map_err(|error| error::bad_settings(&doing, &error))
    }

    /// Sees to it that the topics exist: those that do not are made where that is allowed, and an error otherwise.
    pub(crate) async fn topics_exist(&self, names: &[&str]) -> Result<(), Error> {
        if self.all_known(names) {
            return Ok(());
        }
        let _one_at_a_time = self.looking_up.lock().await;
        let mut missing = Vec::new();
        for name in names.iter().filter(|name| !self.is_known(name)) {
            match self.shape_of(name).await? {
                Some(_) => self.know(name),
                None => missing.push(TopicSpec::new(*name)),
            }
        }
        match &missing[..] {
            [] => Ok(()),
            _ if self.config.create_topics => self.create(&missing, &[]).await,
            [first, ..] => {
                let what = format!(
                    "topic `{name}` does not exist on {cluster}: create it (`kafka-topics.sh --create --topic {name} …`, or \
                     `Admin::ensure_topics`), or let missing topics be made: {cluster}/?create_topics=true",
                    name = first.name,
                    cluster = self.config.describe(),
                );
                Err(Error::config(what).retryable(true))
            }
        }
    }

    /// Whether a topic exists.
    pub(crate) async fn exists(&self, topic: &str) -> Result<bool, Error> {
        Ok(self.is_known(topic) || self.shape_of(topic).await?.is_some())
    }

    /// The shape of a topic; none where it does not exist.
    pub(crate) async fn shape_of(&self, topic: &str) -> Result<Option<Shape>, Error> {
        let doing = format!("looking up topic `{topic}` of {}", self.config.describe());
        let name = topic.to_owned();
        let answer = self.ask(&doing, move |observer, limit| {
            let metadata = observer.fetch_metadata(Some(&name), limit)?;
            let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
                return Ok(Err(Code::UnknownTopicOrPartition));
            };
            match topic.error().filter(IsError::is_error).map(Code::from) {
                Some(code @ (Code::UnknownTopicOrPartition | Code::UnknownTopic)) => return Ok(Err(code)),
                Some(code) => return Err(KafkaError::MetadataFetch(code)),
                None => {}
            }
            let replication = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
            let replication = u16::try_from(replication.unwrap_or(0)).unwrap_or(u16::MAX);
            let partitions = u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX);
            Ok(Ok(Shape { partitions, replication }))
        });
        match answer.await? {
            Ok(shape) => Ok(Some(shape)),
            Err(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(None),
            Err(code) => Err(error::failed(&doing, code)),
        }
    }

    /// Makes topics, with further settings; one that was made meanwhile is as good.
    pub(crate) async fn create(&self, topics: &[TopicSpec], settings: &[(&str, &str)]) -> Result<(), Error> {
        let retentions: Vec<_> = topics
            .iter()
            .map(|topic| topic.retention.or(self.config.retention).map(|kept| kept.as_millis().to_string()))
            .map(|kept| kept.filter(|_| settings.iter().all(|(name, _)| *name != "retention.ms")))
            .collect();
        let new: Vec<_> = topics
            .iter()
            .zip(&retentions)
            .map(|(topic, retention)| {
                let partitions = topic.partitions.or(self.config.partitions);
                let partitions = partitions.map_or(-1, |wanted| i32::try_from(wanted).unwrap_or(i32::MAX));
                let replication = self.config.replication.map_or(-1, i32::from);
                let mut new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(replication));
                if let Some(retention) = retention {
                    new = new.set("retention.ms", retention);
                }
                settings.iter().fold(new, |new, (name, value)| new.set(name, value))
            })
            .collect();
        let limit = self.config.connect_timeout;
        let options = AdminOptions::new().request_timeout(Some(limit)).operation_timeout(Some(limit));
        let names: Vec<_> = topics.iter().map(|topic| format!("`{}`", topic.name)).collect();
        let doing = format!("making topic {} on {}", names.join(", "), self.config.describe());
        let results =
            self.admin.create_topics(&new, &options).await.map_err(|error| error::client(&doing, error))?;
        for result in results {
            match result {
                Ok(name) => tracing::info!(topic = name, "made a topic that was missing"),
                Err((_, Code::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    let doing = format!("making topic `{name}` on {}", self.config.describe());
                    return Err(error::failed(&doing, code));
                }
            }
        }
        for topic in topics {
            self.wait_until_there(&topic.name).await?;
        }
        Ok(())
    }

    /// Brokers hear of a new topic one after the other.
    async fn wait_until_there(&self, topic: &str) -> Result<(), Error> {
        let deadline = self.env.instant() + self.config.connect_timeout;
        while self.shape_of(topic).await?.is_none() {
            if self.env.instant() > deadline {
                let what =
                    format!("making topic `{topic}` on {}: it is not there yet", self.config.describe());
                return Err(Error::new(ErrorKind::Transport, what));
            }
            self.env.sleep(Duration::from_millis(20)).await;
        }
        self.know(topic);
        Ok(())
    }

    /// The largest record that any of `topics` takes, in bytes.
    pub(crate) async fn largest_record(&self, topics: &[&str]) -> Result<Option<u64>, Error> {
        let mut largest = None;
        for topic in topics {
            let limit = self.setting(topic, "max.message.bytes").await?;
            largest = largest.max(limit.and_then(|limit| limit.parse::<u64>().ok()));
        }
        Ok(largest)
    }

    /// Grows a topic.
    pub(crate) async fn grow(&self, topic: &str, partitions: u32) -> Result<(), Error> {
        let doing =
            format!("growing topic `{topic}` of {} to {partitions} partitions", self.config.describe());
        let new = NewPartitions::new(topic, partitions as usize);
        let options = AdminOptions::new().request_timeout(Some(self.config.connect_timeout));
        let results = self.admin.create_partitions(&[new], &options).await;
        let results = results.map_err(|error| error::client(&doing, error))?;
        let failed = results.into_iter().find_map(Result::err);
        failed.map_or(Ok(()), |(_, code)| Err(error::failed(&doing, code)))
    }

    /// Forgets the positions of a group.
    pub(crate) async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let doing = format!("deleting group `{group}` of {}", self.config.describe());
        let options = AdminOptions::new().request_timeout(Some(self.config.connect_timeout));
        let results = self.admin.delete_groups(&[group], &options).await;
        let results = results.map_err(|error| error::client(&doing, error))?;
        match results.into_iter().find_map(Result::err) {
            None | Some((_, Code::GroupIdNotFound)) => Ok(()),
            Some((_, code)) => Err(error::failed(&doing, code)),
        }
    }

    /// Checks that a topic keeps events for as long as `wanted`.
    pub(crate) async fn check_retention(&self, topic: &str, wanted: Duration) -> Result<(), Error> {
        let there = self.setting(topic, "retention.ms").await?;
        let wanted = wanted.as_millis().to_string();
        match there {
            Some(there) if there != wanted => Err(Error::config(format!(
                "making topic `{topic}` that keeps events for {wanted} ms: it exists with `retention.ms={there}`; change one \
                 of the two"
            ))),
            _ => Ok(()),
        }
    }

    async fn setting(&self, topic: &str, name: &str) -> Result<Option<String>, Error> {
        let options = AdminOptions::new().request_timeout(Some(self.config.connect_timeout));
        let doing = format!("reading the settings of topic `{topic}` of {}", self.config.describe());
        let answers = self.admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options).await;
        let answers = answers.map_err(|error| error::client(&doing, error))?;
        match answers.into_iter().next() {
            Some(Ok(answer)) => Ok(answer.get(name).and_then(|entry| entry.value.clone())),
            Some(Err(code)) => Err(error::failed(&doing, code)),
            None => Ok(None),
        }
    }

    /// The settings of topics that exist, by name, in the order of `topics`.
    #[cfg(feature = "store")]
    pub(crate) async fn settings(&self, topics: &[&str]) -> Result<Vec<HashMap<String, String>>, Error> {
        let options = AdminOptions::new().request_timeout(Some(self.config.connect_timeout));
        let doing = format!("reading the settings of topics of {}", self.config.describe());
        let asked: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let answers = self.admin.describe_configs(&asked, &options).await;
        let answers = answers.map_err(|error| error::client(&doing, error))?;
        let mut found = HashMap::new();
        for answer in answers {
            let answer = answer.map_err(|code| error::failed(&doing, code))?;
            if let OwnedResourceSpecifier::Topic(topic) = answer.specifier {
                let entries = answer.entries.into_iter();
                let entries = entries.filter_map(|entry| Some((entry.name, entry.value?)));
                found.insert(topic, entries.collect::<HashMap<_, _>>());
            }
        }
        Ok(topics.iter().map(|topic| found.remove(*topic).unwrap_or_default()).collect())
    }

    /// A client that reads partitions by hand, from their beginning to their end.
    pub(crate) fn reader(&self) -> Result<Observer, Error> {
        let mut settings =
            self.config.native(&Role::Observer { group: "jitney-reader".to_owned() }, "jitney");
        settings.set("enable.partition.eof", "true").set("isolation.level", "read_committed");
        let doing = format!("reading from {}", self.config.describe());
        settings.create_with_context(Context::default()).map_err(|error| error::bad_settings(&doing, &error))
    }

    /// A client that reads partitions by hand from a place that is there, and stays at their ends.
    #[cfg(feature = "store")]
    pub(crate) fn follower(&self) -> Result<Observer, Error> {
        self.reader_with(&[("fetch.queue.backoff.ms", "5")])
    }

    /// A client that reads a few records here and there.
    #[cfg(feature = "store")]
    pub(crate) fn fetcher(&self) -> Result<Observer, Error> {
        self.reader_with(&[
            ("max.partition.fetch.bytes", "65536"),
            ("queued.min.messages", "100"),
            ("fetch.queue.backoff.ms", "1"),
        ])
    }

    /// A client that sees what is not committed, too.
    #[cfg(feature = "store")]
    pub(crate) fn onlooker(&self) -> Result<Observer, Error> {
        self.reader_with(&[("isolation.level", "read_uncommitted")])
    }

    #[cfg(feature = "store")]
    fn reader_with(&self, settings: &[(&str, &str)]) -> Result<Observer, Error> {
        let role = Role::Observer { group: "jitney-reader".to_owned() };
        let mut native = self.config.native(&role, "jitney");
        native.set("isolation.level", "read_committed").set("auto.offset.reset", "error");
        native.set("enable.auto.offset.store", "false").set("check.crcs", "true");
        for (name, value) in settings {
            native.set(*name, *value);
        }
        let doing = format!("reading from {}", self.config.describe());
        native.create_with_context(Context::default()).map_err(|error| error::bad_settings(&doing, &error))
    }

    /// Has the cluster forget a group that has no members, as far as it does.
    pub(crate) async fn forget_group(&self, group: &str) {
        let options = AdminOptions::new().request_timeout(Some(self.config.connect_timeout));
        let error = match self.admin.delete_groups(&[group], &options).await {
            Ok(results) => {
                results.into_iter().find_map(|result| result.err()).map(|(_, code)| code.to_string())
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(error) = error {
            tracing::debug!(group, error, "a group was not forgotten");
        }
    }

    fn all_known(&self, names: &[&str]) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().all(|name| known.contains(*name))
    }

    fn is_known(&self, name: &str) -> bool {
        self.all_known(&[name])
    }

    fn know(&self, name: &str) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(name.into());
    }
}

/// Nobody is to have a topic of this name: what is asked for is an answer, whatever it is.
pub(crate) const NO_TOPIC: &str = "jitney-is-anybody-there";

/// How long the first question waits before it is looked whether waiting makes sense; each further one twice as long.
const FIRST_PATIENCE: Duration = Duration::from_millis(250);

/// More than connections have to say meanwhile.
const MANY_EVENTS: usize = 64;

/// How long a question rests that a leader was missing for.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Whether waiting will not help.
fn is_final(trouble: Option<&Trouble>) -> bool {
    trouble.is_some_and(|trouble| trouble.code == Some(Code::Authentication))
}

fn not_reached(config: &Config, doing: &str, error: &Error, trouble: Option<Trouble>) -> Error {
    let limit = config.connect_timeout;
    let nothing_better = match (&config.tls, &config.sasl) {
        (None, None) => {
            "check host and port, and whether the brokers want `tls=true`, or a user and a password with `sasl`"
        }
        (None, Some(_)) => {
            "check host and port, and whether the brokers there want a user and a password by `sasl`, or `tls=true` too"
        }
        (Some(_), None) => "check host and port, and whether the brokers speak TLS there, and want no user",
        (Some(_), Some(_)) => "check host and port, and whether the brokers speak TLS with `sasl` there",
    };
    let Some(Trouble { code, reason }) = trouble else {
        let what =
            format!("{error}; no broker answered within `connect_timeout` ({limit:?}): {nothing_better}");
        return Error::new(error.kind(), what).retryable(error.is_retryable());
    };
    let (is_retryable, hint) = match code {
        Some(Code::Authentication) => (false, "check user, password and `sasl` in the URL"),
        Some(Code::SSL) => (true, "check `tls`, `ca_file` and the port in the URL"),
        Some(Code::Resolve) => (true, "check the host in the URL"),
        _ => (true, nothing_better),
    };
    let what = format!("{doing}: no broker answered within `connect_timeout` ({limit:?}): {reason}; {hint}");
    let what = if is_retryable { what } else { format!("{doing}: {reason}; {hint}") };
    Error::new(ErrorKind::Transport, what).retryable(is_retryable)
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("url", &self.config.describe()).finish_non_exhaustive()
    }
}
