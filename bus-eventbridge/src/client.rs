//! The transport itself: a handle that is cheap to clone.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{join, join_all};
use jitney_core::admin::Admin;
use jitney_core::codec::Codec;
use jitney_core::message::Outbound;
use jitney_core::transport::{Epoch, Interest, Mode, Published, Start, Subscribed, Subscription, Transport};
use jitney_core::{Capabilities, Env, Error, ErrorKind};

use crate::bus::Bus;
use crate::config::{Builder, Config};
use crate::detail::DetailJson;
use crate::driver::drive;
use crate::entry::MAX_MESSAGE_BYTES;
use crate::error;
use crate::member::Member;
use crate::plan::{Action, Plan, apply, plan_group};
use crate::publisher::Publisher;
use crate::publisher::sink::EventBus;
use crate::queue::Queue;
use crate::replay::Archive;
use crate::sdk;
use crate::settler::SqsSettler;
use crate::source::{MAX_BATCH, SqsSource, settle_within};

/// A connection to an event bus and its queues. Clones are the same connection; each call to
/// [`from_url`](EventBridge::from_url) makes another.
#[derive(Clone)]
pub struct EventBridge {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    env: Env,
    bus: Bus,
    archive: Option<Archive>,
    publisher: Publisher,
    capabilities: Capabilities,
    /// Which groups have their rules and queues, for which interests. Held while they are made.
    ready: tokio::sync::Mutex<HashMap<String, Ready>>,
    members: Mutex<Vec<Weak<Member>>>,
    epochs: AtomicU64,
}

/// A group that has its rules and queues.
#[derive(Clone)]
struct Ready {
    interests: Vec<Interest>,
    urls: (String, String),
}

impl EventBridge {
    /// The set-up of a connection to the event bus called `bus`; the account's own is called `default`.
    pub fn builder(bus: &str) -> Builder {
        Builder::new(bus)
    }

    /// Connects to the bus of `url`: `eventbridge://bus-name?name=value&…`. Credentials do not belong in it: they come from
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` or, with the feature `credentials`, from the SDK's
    /// usual chain; a server on this machine that stands in for AWS needs none. The parameters are the methods of [`Builder`]:
    ///
    /// | parameter | value | see |
    /// |---|---|---|
    /// | `region` | a region, as `eu-west-1` | [`Builder::region`] |
    /// | `endpoint` | a URL, for servers that stand in for AWS | [`Builder::endpoint`] |
    /// | `create` | `true` or `false` | [`Builder::create`] |
    /// | `archive` | a name | [`Builder::archive`] |
    /// | `publish_timeout`, `request_timeout`, `connect_timeout` | a duration, as `500ms` or `30s` | [`Builder::publish_timeout`] … |
    /// | `max_requests` | a number | [`Builder::max_requests`] |
    /// | `visibility`, `wait` | whole seconds, as `30s` | [`Builder::visibility`], [`Builder::wait`] |
    /// | `max_receives` | a number | [`Builder::max_receives`] |
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
        let bus = Bus::find(&builder).await?;
        let Builder { config, env, .. } = builder;
        let archive = match &config.archive {
            Some(name) => Some(Archive::open(&bus, name, config.create, &env).await?),
            None => None,
        };
        let sink = EventBus { client: bus.clients.put.clone(), name: bus.name.clone() };
        let inner = Inner {
            publisher: Publisher::new(Box::new(sink), &config, env.clone()),
            capabilities: capabilities(&config),
            config,
            env,
            bus,
            archive,
            ready: tokio::sync::Mutex::default(),
            members: Mutex::default(),
            epochs: AtomicU64::new(0),
        };
        Ok(EventBridge { inner: Arc::new(inner) })
    }

    /// What `subscriptions` need of the bus and of SQS, compared with what is there; nothing is changed. An application's
    /// are found by [`plan::subscriptions`](crate::plan::subscriptions).
    ///
    /// # Errors
    ///
    /// When AWS does not answer, or a rule or a queue has the name that a group's needs, and is not the group's by its tags.
    ///
    /// # Cancellation
    ///
    /// Dropping the future does no harm.
    pub async fn plan(&self, subscriptions: &[Subscription]) -> Result<Plan, Error> {
        let Inner { bus, config, .. } = &*self.inner;
        let mut groups = Vec::with_capacity(subscriptions.len());
        for subscription in subscriptions {
            groups.push(plan_group(bus, subscription, config.max_receives).await?);
        }
        Ok(Plan { bus: bus.name.clone(), arn: bus.arn.clone(), groups })
    }

    /// Makes and changes what `plan` says. What is not a group's own is never touched.
    ///
    /// # Errors
    ///
    /// When AWS refuses something; what was made until then stays, and a new plan goes on from there.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves a part undone; a new plan goes on from there.
    pub async fn apply(&self, plan: &Plan) -> Result<(), Error> {
        for group in &plan.groups {
            apply(&self.inner.bus, &mut group.clone()).await?;
        }
        Ok(())
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    pub(crate) fn env(&self) -> &Env {
        &self.inner.env
    }

    pub(crate) fn archive(&self) -> Option<&Archive> {
        self.inner.archive.as_ref()
    }

    /// The queues of `group` at these URLs.
    pub(crate) fn queue(&self, group: &str, url: String, dead_letters: String) -> Queue {
        let config = &self.inner.config;
        Queue {
            client: self.inner.bus.clients.queues.clone(),
            group: group.to_owned(),
            url,
            dead_letters,
            visibility: config.visibility,
            wait: config.wait,
            limits: sdk::limits(config, config.wait),
        }
    }

    /// Sees to it that the rules and queues of `subscription` are there. Answers the queues' URLs.
    pub(crate) async fn prepare(
        &self,
        subscription: &Subscription,
        doing: &str,
    ) -> Result<(String, String), Error> {
        let Inner { bus, config, .. } = &*self.inner;
        let mut ready = self.inner.ready.lock().await;
        if let Some(known) = ready.get(&subscription.group)
            && known.interests == subscription.interests
        {
            return Ok(known.urls.clone());
        }
        let mut plan = plan_group(bus, subscription, config.max_receives).await?;
        let is_new = plan.queue.action == Action::Create;
        if !plan.is_done() {
            if !config.create {
                let plan = Plan { bus: bus.name.clone(), arn: bus.arn.clone(), groups: vec![plan] };
                return Err(Error::config(format!(
                    "{doing}: its rules and queues are not as its handlers need them, and `create=false` forbids to make them; \
                     make what is not called \"keep\" here: {plan}"
                )));
            }
            apply(bus, &mut plan).await?;
        }
        let urls = plan.urls().ok_or_else(|| {
            Error::new(ErrorKind::Transport, format!("{doing}: SQS did not say where the group's queues are"))
        })?;
        if is_new && matches!(subscription.start, Start::Time(_) | Start::Positions(_)) {
            self.replay(&subscription.group, &subscription.start, doing).await?;
        }
        let interests = subscription.interests.clone();
        ready.insert(subscription.group.clone(), Ready { interests, urls: urls.clone() });
        Ok(urls)
    }

    /// Has the rules and queues of `group` looked for again before anybody joins it.
    pub(crate) async fn forget(&self, group: &str) {
        self.inner.ready.lock().await.remove(group);
    }

    /// Whether anybody is in `group` by this connection.
    pub(crate) fn has_members(&self, group: &str) -> bool {
        self.members().iter().any(|member| member.group == group && !member.lock().is_over)
    }

    fn members(&self) -> Vec<Arc<Member>> {
        let mut members = self.inner.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| member.strong_count() > 0);
        members.iter().filter_map(Weak::upgrade).collect()
    }
}

pub(crate) fn capabilities(config: &Config) -> Capabilities {
    let mut capabilities = Capabilities::none("eventbridge");
    capabilities.durable = true;
    capabilities.replayable = config.archive.is_some();
    capabilities.delayed_retry = true;
    capabilities.lag = true;
    capabilities.counts_deliveries = true;
    capabilities.max_message_bytes = Some(MAX_MESSAGE_BYTES);
    capabilities.max_batch = Some(MAX_BATCH);
    capabilities.settle_within = Some(settle_within(config.visibility));
    capabilities
}

#[async_trait]
impl Transport for EventBridge {
    fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    fn describe(&self) -> String {
        self.inner.config.describe()
    }

    fn codec(&self) -> Arc<dyn Codec> {
        Arc::new(DetailJson)
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        self.inner.publisher.publish(&batch).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error> {
        let inner = &*self.inner;
        let group = &subscription.group;
        let doing = format!("subscribing group `{group}` to {}", self.describe());
        if inner.publisher.is_closed() {
            return Err(error::closed(&doing));
        }
        if subscription.interests.is_empty() {
            return Err(Error::config(format!(
                "{doing}: it names no topic; give it an interest in at least one"
            )));
        }
        let unsupported = |why: &str| Err(Error::new(ErrorKind::Unsupported, format!("{doing}: {why}")));
        if subscription.mode == Mode::Broadcast {
            return unsupported(
                "eventbridge has no broadcast, since a rule and a queue for each process would outlive it; give each process a \
                 group of its own",
            );
        }
        if subscription.exactly_once {
            return unsupported("eventbridge has no transactions; make the handlers idempotent");
        }
        let (url, dead_letters) = self.prepare(&subscription, &doing).await?;
        let epoch = Epoch(inner.epochs.fetch_add(1, Ordering::Relaxed) + 1);
        let member = Arc::new(Member::new(
            group.clone(),
            self.queue(group, url, dead_letters),
            subscription.interests,
            subscription.prefetch,
            epoch,
            inner.env.clone(),
        ));
        inner.members.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&member));
        inner.env.spawn(drive(Arc::clone(&member)));
        if inner.publisher.is_closed() {
            member.leave();
            return Err(error::closed(&doing));
        }
        Ok(Subscribed {
            source: Box::new(SqsSource::new(Arc::clone(&member))),
            settler: Arc::new(SqsSettler::new(member)),
        })
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    async fn close(&self, limit: Duration) -> Result<(), Error> {
        let env = &self.inner.env;
        let deadline = env.instant() + limit;
        let members = self.members();
        members.iter().for_each(|member| member.leave());
        // Beyond the limit the queues take back what they gave.
        let left = join_all(members.iter().map(|member| member.left()));
        let (_, closed) = join(
            env.timeout_at(deadline, left),
            self.inner.publisher.close(deadline.saturating_duration_since(env.instant())),
        )
        .await;
        closed
    }
}

impl fmt::Debug for EventBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBridge").field("url", &self.describe()).finish_non_exhaustive()
    }
}
