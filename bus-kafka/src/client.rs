//! The transport itself: a handle that is cheap to clone.

use std::fmt;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::admin::{Admin, TopicSpec};
use jitney_core::codec::Codec;
use jitney_core::message::Outbound;
use jitney_core::transport::{Mode, Published, Start, Subscribed, Subscription, Transport};
use jitney_core::{Capabilities, Error, ErrorKind, dead_letter};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::admin::begin;
use crate::cluster::Cluster;
use crate::config::{Builder, Role};
use crate::driver::Driver;
use crate::member::{Command, Member};
use crate::member_context::MemberContext;
use crate::places::{Places, places};
use crate::publisher::Publisher;
use crate::settler::KafkaSettler;
use crate::source::KafkaSource;
use crate::together::Together;
use crate::transaction::Transactions;
use crate::window::Window;
use crate::{error, retry_topics};

/// What a dead letter or a retry may add to the largest record of the topics that a group reads.
const ROOM_ASIDE: u64 = 64 << 10;

/// What is put aside stays until somebody takes it away.
const KEPT: (&str, &str) = ("retention.ms", "-1");

/// A connection to a Kafka cluster. Clones are the same connection; each call to
/// [`from_url`](Kafka::from_url) makes another.
#[derive(Clone)]
pub struct Kafka {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) cluster: Arc<Cluster>,
    publisher: Arc<Publisher>,
    aside: Arc<Publisher>,
    together: Together,
    capabilities: Capabilities,
    codec: Arc<dyn Codec>,
    members: Mutex<Vec<Weak<Member>>>,
}

impl Kafka {
    /// The set-up of a connection to the brokers at `host:port`, parted by commas.
    pub fn builder(brokers: &str) -> Builder {
        Builder::new(brokers)
    }

    /// Connects to the cluster of `url`: `kafka://[user:password@]host[:port][,host[:port]…]/?name=value&…`, user and
    /// password percent-encoded. The parameters are the methods of [`Builder`]:
    ///
    /// | parameter | value | see |
    /// |---|---|---|
    /// | `client_id`, `instance_id` | a name | [`Builder::client_id`], [`Builder::instance_id`] |
    /// | `tls` | `true` or `false` | [`Builder::tls`] |
    /// | `ca_file`, `certificate_file`, `key_file` | the path of a PEM file | [`Tls`](crate::Tls) |
    /// | `sasl` | `plain`, `scram-sha-256` or `scram-sha-512` | [`Mechanism`](crate::Mechanism) |
    /// | `linger`, `publish_timeout`, `connect_timeout` | a duration, as `5ms` or `30s` | [`Builder::linger`] … |
    /// | `compression` | `none`, `gzip`, `snappy`, `lz4` or `zstd` | [`Builder::compression`] |
    /// | `max_message_bytes` | a number | [`Builder::max_message_bytes`] |
    /// | `create_topics` | `true` or `false` | [`Builder::create_topics`] |
    /// | `partitions`, `replication`, `retention` | numbers, and a duration | [`Builder::partitions`] … |
    /// | `commit_interval`, `revoke_limit`, `transaction_timeout` | a duration | [`Builder::commit_interval`] … |
    /// | `wire` | `native`, `native-sequence` or `cloudevents` | [`Builder::codec`] |
    /// | any name with a dot | as it is | [`Builder::set`] |
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a URL that is wrong, and those of [`Builder::connect`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives the connection up.
    pub async fn from_url(url: &str) -> Result<Self, Error> {
        Builder::from_url(url)?.connect().await
    }

    pub(crate) async fn with(builder: Builder) -> Result<Self, Error> {
        let Builder { config, env } = builder;
        let codec = Arc::clone(&config.codec);
        let capabilities = capabilities(config.max_message_bytes);
        let cluster = Arc::new(Cluster::connect(config, env).await?);
        let inner = Inner {
            publisher: Arc::new(Publisher::new(Arc::clone(&cluster))),
            aside: Arc::new(Publisher::aside(Arc::clone(&cluster))),
            together: Together::new(Arc::clone(&cluster)),
            cluster,
            capabilities,
            codec,
            members: Mutex::default(),
        };
        Ok(Kafka { inner: Arc::new(inner) })
    }

    /// The members of groups that this connection has, those of `group` where it is given.
    pub(crate) fn members(&self, group: Option<&str>) -> Vec<Arc<Member>> {
        let members = self.inner.members.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = members.iter().filter_map(Weak::upgrade).filter(|member| !member.lock().is_over);
        alive.filter(|member| group.is_none_or(|group| member.group == group)).collect()
    }

    fn add(&self, member: &Arc<Member>) {
        let mut members = self.inner.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(member));
    }

    /// Makes a group without joining it: its topics, and its first positions.
    pub(crate) async fn ensure_group(&self, subscription: &Subscription) -> Result<(), Error> {
        let doing = format!("making group `{}` of {}", subscription.group, self.describe());
        self.prepare(subscription, &reads(subscription, &doing)?).await.map(drop)
    }

    /// Sees to it that the topics of `subscription` are there, those that it reads and those that its group puts events
    /// aside in, and that the group has its first positions. Answers its retry topics, and those positions.
    async fn prepare(
        &self,
        subscription: &Subscription,
        reads: &[&str],
    ) -> Result<(Option<Vec<String>>, Places), Error> {
        let cluster = &self.inner.cluster;
        cluster.topics_exist(reads).await?;
        let group = &subscription.group;
        let letters = dead_letter::topic(group);
        let retries = subscription.delayed_retry.then(|| retry_topics::topics(group));
        let mut missing = Vec::new();
        if !cluster.exists(&letters).await? {
            missing.push(TopicSpec::new(&*letters).partitions(1));
        }
        for topic in retries.iter().flatten() {
            if !cluster.exists(topic).await? {
                missing.push(TopicSpec::new(topic));
            }
        }
        if !missing.is_empty() {
            let largest = cluster.largest_record(reads).await?.unwrap_or(1 << 20) + ROOM_ASIDE;
            cluster.create(&missing, &[("max.message.bytes", &largest.to_string()), KEPT, ("cleanup.policy", "delete")]).await.map_err(|source| {
                let what = format!(
                    "making topics that group `{group}` puts events aside in: {source}; make them yourself, as large as \
                     {largest} bytes a message (`max.message.bytes`)"
                );
                Error::new(source.kind(), what).retryable(source.is_retryable()).with_source(source)
            })?;
        }
        let read: Vec<String> = reads.iter().map(|topic| (*topic).to_owned()).collect();
        let starts = match &subscription.start {
            Start::Earliest => Places::new(),
            start => places(cluster, &read, start).await?,
        };
        if !starts.is_empty() && subscription.mode == Mode::Competing {
            begin(cluster, group, &starts).await?;
        }
        Ok((retries, starts))
    }
}

/// The topics of `subscription`, each once.
fn reads<'s>(subscription: &'s Subscription, doing: &str) -> Result<Vec<&'s str>, Error> {
    let mut reads: Vec<&str> = subscription.interests.iter().map(|interest| &*interest.topic).collect();
    reads.sort_unstable();
    reads.dedup();
    if reads.is_empty() {
        return Err(Error::config(format!(
            "{doing}: it names no topic; give it an interest in at least one"
        )));
    }
    Ok(reads)
}

pub(crate) fn capabilities(max_message_bytes: usize) -> Capabilities {
    let mut capabilities = Capabilities::none("kafka");
    capabilities.ordered = true;
    capabilities.durable = true;
    capabilities.replayable = true;
    capabilities.transactional = true;
    capabilities.delayed_retry = true;
    capabilities.lag = true;
    capabilities.broadcast = true;
    capabilities.backlog = true;
    capabilities.max_message_bytes = Some(max_message_bytes);
    capabilities
}

#[async_trait]
impl Transport for Kafka {
    fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    fn describe(&self) -> String {
        self.inner.cluster.config.describe()
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::clone(&self.inner.codec)
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        self.inner.publisher.publish(&batch).await
    }

    async fn publish_one(&self, message: Outbound) -> Published {
        self.inner.publisher.publish_one(message).await
    }

    async fn publish_atomically(&self, batch: Vec<Outbound>) -> Published {
        self.inner.together.publish(batch).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error> {
        let cluster = &self.inner.cluster;
        let doing = format!("subscribing group `{}` to {}", subscription.group, cluster.config.describe());
        if self.inner.publisher.is_closed().await {
            return Err(error::closed(&doing));
        }
        let reads = reads(&subscription, &doing)?;
        if subscription.mode == Mode::Broadcast && subscription.delayed_retry {
            let what = format!(
                "{doing}: a broadcast group has no delayed retries, since each member would retry for all of them; retry in the lane"
            );
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        let (retry_topics, starts) = self.prepare(&subscription, &reads).await?;
        let read: Vec<String> = reads.iter().map(|topic| (*topic).to_owned()).collect();
        let is_broadcast = subscription.mode == Mode::Broadcast;
        let random = || format!("{:016x}", cluster.env.random());
        // The cluster knows no broadcast: each member is a group to itself.
        let group = match is_broadcast {
            true => format!("{}.{}", subscription.group, random()),
            false => subscription.group.clone(),
        };
        let instance = cluster.config.instance_id.as_ref().filter(|_| !is_broadcast);
        let instance = instance.map(|id| match subscription.member {
            0 => id.clone(),
            member => format!("{id}#{member}"),
        });
        let role = Role::Member { group: group.clone(), instance: instance.clone() };
        let settings = cluster.config.native(&role, &subscription.service);
        let made = settings.create_with_context(MemberContext::default());
        let mut consumer: BaseConsumer<MemberContext> =
            made.map_err(|error| error::bad_settings(&doing, &error))?;
        let (tell, commands) = channel();
        let look = tell.clone();
        consumer.set_nonempty_callback(move || drop(look.send(Command::Look)));
        let all: Vec<&str> =
            reads.iter().copied().chain(retry_topics.iter().flatten().map(String::as_str)).collect();
        consumer.subscribe(&all).map_err(|error| error::client(&doing, error))?;
        let consumer = Arc::new(consumer);
        let member = Arc::new(Member::new(group.clone(), Arc::clone(cluster), read, tell));
        let no_thread =
            |error: std::io::Error| Error::new(ErrorKind::Transport, doing.clone()).with_source(error);
        let window = match subscription.exactly_once {
            true => {
                let name = format!("{group}/{}", instance.unwrap_or_else(random));
                let transactions = cluster.transactions(name, &subscription.service).with_letters();
                let window = Window::open(Arc::clone(&member), Arc::downgrade(&consumer), transactions);
                Some(window.map_err(no_thread)?)
            }
            false => None,
        };
        let driver = Driver {
            member: Arc::clone(&member),
            consumer,
            commands,
            window: window.clone(),
            starts,
            retry_topics,
            revoking: None,
            is_leaving: false,
            ticks: 0,
            next_commit: cluster.env.instant() + cluster.config.commit_interval,
        };
        let thread = std::thread::Builder::new().name("jitney-kafka".to_owned());
        thread.spawn(move || driver.run()).map_err(no_thread)?;
        self.add(&member);
        if self.inner.publisher.is_closed().await {
            drop(member.leave());
            return Err(error::closed(&doing));
        }
        let aside = Arc::clone(&self.inner.aside);
        Ok(Subscribed {
            source: Box::new(KafkaSource::new(Arc::clone(&member), subscription.prefetch)),
            settler: Arc::new(KafkaSettler::new(member, aside, window, is_broadcast)),
        })
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    async fn close(&self, limit: Duration) -> Result<(), Error> {
        let env = &self.inner.cluster.env;
        let deadline = env.instant() + limit;
        let leaving: Vec<_> = self.members(None).iter().map(|member| member.leave()).collect();
        for left in leaving {
            // Beyond the limit the cluster will find out by itself.
            let _ = env.timeout_at(deadline, left).await;
        }
        // It closes when its transaction has ended, within the limit or behind it.
        let _ = env.timeout_at(deadline, self.inner.together.close()).await;
        let left = || deadline.saturating_duration_since(env.instant());
        let aside = self.inner.aside.close(left()).await;
        self.inner.publisher.close(left()).await.and(aside)
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("url", &self.describe()).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Transactions called `name`, of `service`.
    pub(crate) fn transactions(&self, name: String, service: &str) -> Transactions {
        let settings = self.config.native(&Role::TransactionalProducer { id: name.clone() }, service);
        Transactions::new(settings, name, self.config.transaction_timeout, self.env.clone())
    }
}
