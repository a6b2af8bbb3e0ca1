//! The transport itself: a handle that is cheap to clone.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jitney_core::admin::Admin;
use jitney_core::codec::Codec;
use jitney_core::message::Outbound;
use jitney_core::transport::{Mode, Published, Start, Subscribed, Subscription, Transport};
use jitney_core::{Capabilities, Error, ErrorKind};

use crate::config::{Builder, Config, Order};
use crate::error;
use crate::link::Link;
use crate::member::Member;
use crate::publisher::Publisher;
use crate::settler::RabbitMqSettler;
use crate::source::RabbitMqSource;
use crate::topology::Topology;

/// A connection to a RabbitMQ server. Clones are the same connection; each call to [`from_url`](RabbitMq::from_url) makes
/// another.
#[derive(Clone)]
pub struct RabbitMq {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    publishing: Arc<Link>,
    pub(crate) consuming: Arc<Link>,
    publisher: Arc<Publisher>,
    aside: Arc<Publisher>,
    capabilities: Capabilities,
    codec: Arc<dyn Codec>,
    members: Mutex<Vec<Weak<Member>>>,
}

impl RabbitMq {
    /// The set-up of a connection to the server at `host`.
    pub fn builder(host: &str) -> Builder {
        Builder::new(host)
    }

    /// Connects to the server of `url`: `amqp://[user:password@]host[:port][/vhost]?name=value&…`, or `amqps://` with the
    /// feature `tls`; user, password and virtual host percent-encoded. The parameters are the methods of [`Builder`]:
    ///
    /// | parameter | value | see |
    /// |---|---|---|
    /// | `client_name` | a name | [`Builder::client_name`] |
    /// | `wire` | `native`, `native-sequence` or `cloudevents` | [`Builder::codec`] |
    /// | `order` | `key` or `none` | [`Builder::order`] |
    /// | `partitions` | a number | [`Builder::partitions`] |
    /// | `unroutable` | `accept` or `reject` | [`Builder::unroutable`] |
    /// | `heartbeat`, `publish_timeout`, `connect_timeout` | a duration, as `500ms` or `30s` | [`Builder::heartbeat`] … |
    /// | `consumer_timeout`, `revoke_limit` | a duration | [`Builder::consumer_timeout`] … |
    /// | `max_message_bytes` | a number | [`Builder::max_message_bytes`] |
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
        if config.order == Order::None && config.partitions > 1 {
            return Err(Error::config(
                "connecting to rabbitmq: `partitions` keep order by key, and `order` is `none`: leave one of them out",
            ));
        }
        let config = Arc::new(config);
        let link = |purpose| Arc::new(Link::new(Arc::clone(&config), env.clone(), purpose));
        let (publishing, consuming) = (link("publishing"), link("consuming"));
        let doing = format!("connecting to {}", config.describe());
        publishing.ask(&doing, publishing.connection()).await?;
        let inner = Inner {
            publisher: Arc::new(Publisher::new(Arc::clone(&publishing))),
            aside: Arc::new(Publisher::aside(Arc::clone(&publishing))),
            publishing,
            consuming,
            capabilities: capabilities(&config),
            codec: Arc::clone(&config.codec),
            members: Mutex::default(),
        };
        Ok(RabbitMq { inner: Arc::new(inner) })
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
}

pub(crate) fn capabilities(config: &Config) -> Capabilities {
    let mut capabilities = Capabilities::none("rabbitmq");
    capabilities.ordered = config.order == Order::Key;
    capabilities.durable = true;
    capabilities.delayed_retry = true;
    capabilities.lag = true;
    capabilities.broadcast = true;
    capabilities.counts_deliveries = true;
    capabilities.max_message_bytes = Some(config.max_message_bytes);
    capabilities
}

/// Whether a queue can do what `subscription` asks for.
pub(crate) fn check(subscription: &Subscription, doing: &str) -> Result<(), Error> {
    let unsupported = |why: &str| Err(Error::new(ErrorKind::Unsupported, format!("{doing}: {why}")));
    if subscription.interests.is_empty() {
        return Err(Error::config(format!(
            "{doing}: it names no topic; give it an interest in at least one"
        )));
    }
    if subscription.exactly_once {
        return unsupported(
            "RabbitMQ cannot store outputs and settlement as one; use the inbox and outbox of the handler's database",
        );
    }
    if subscription.mode == Mode::Broadcast && subscription.delayed_retry {
        return unsupported(
            "a broadcast group has no delayed retries, since a member's queue goes with it; retry in the lane",
        );
    }
    if matches!(subscription.start, Start::Positions(_) | Start::Time(_)) {
        return unsupported(
            "a queue of RabbitMQ has no past to begin in; begin with the next event, and read an event store for earlier ones",
        );
    }
    Ok(())
}

#[async_trait]
impl Transport for RabbitMq {
    fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    fn describe(&self) -> String {
        self.inner.publishing.describe()
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::clone(&self.inner.codec)
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        self.inner.publisher.publish(batch).await
    }

    async fn publish_one(&self, message: Outbound) -> Published {
        self.inner.publisher.publish_one(message).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error> {
        let link = &self.inner.consuming;
        let doing = format!("subscribing group `{}` to {}", subscription.group, link.describe());
        if self.inner.publisher.is_closed() {
            return Err(error::closed(&doing));
        }
        check(&subscription, &doing)?;
        let topology = Topology::new(&subscription, link.config.order, link.config.partitions);
        let Subscription { group, prefetch, delayed_retry, .. } = subscription;
        let member = Arc::new(Member::new(group, Arc::clone(link), topology, prefetch, delayed_retry));
        for partition in 0..member.partitions() {
            let opened = link.ask(&doing, member.open(partition)).await.map_err(|source| {
                let what = format!("{doing}: {source}");
                Error::new(source.kind(), what).retryable(source.is_retryable()).with_source(source)
            })?;
            member.add(opened);
        }
        self.add(&member);
        if self.inner.publisher.is_closed() {
            member.leave().await;
            return Err(error::closed(&doing));
        }
        Ok(Subscribed {
            source: Box::new(RabbitMqSource::new(Arc::clone(&member))),
            settler: Arc::new(RabbitMqSettler::new(member, Arc::clone(&self.inner.aside))),
        })
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    async fn close(&self, limit: Duration) -> Result<(), Error> {
        let env = &self.inner.publishing.env;
        let deadline = env.instant() + limit;
        let left = || deadline.saturating_duration_since(env.instant());
        // Beyond the limit the server will find out by itself.
        let leaving = join_all(self.members(None).iter().map(|member| member.leave()));
        let _ = env.timeout_at(deadline, leaving).await;
        let published = self.inner.publisher.close(left()).await;
        let put_aside = self.inner.aside.close(left()).await;
        // A connection without calls is closed in a moment; it has that in any case.
        let moment = left().max(Duration::from_millis(100));
        self.inner.publishing.close(moment).await;
        self.inner.consuming.close(moment).await;
        published.and(put_aside)
    }
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMq").field("url", &self.describe()).finish_non_exhaustive()
    }
}
