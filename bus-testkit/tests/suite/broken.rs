//! A transport with one fault, around one that has none.

mod consuming;
mod publishing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{
    Delivery, Mode, Published, Settler, Start, Subscribed, Subscription, Token, Transport,
};
use jitney_core::{Capabilities, Error, ErrorKind};

pub(crate) use consuming::BrokenHalves;

/// The password that must not leak.
pub(crate) const SECRET: &str = "hunter2";

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    // Publishing.
    LosesEach100th,
    LosesThe7777th,
    SwapsOrder,
    AcksBeforeStoring,
    AnswersInReverse,
    AcceptsWhatIsTooLarge,
    AcksAfterClose,
    ClosesOnce,
    DroppedPublishTakesAnother,
    DropsHeaders,
    ShiftsTime,
    TruncatesBodies,
    TruncatesLargeBodies,
    MixesTopics,
    // Subscribing.
    MixesGroups,
    ForgetsTopics,
    SharesWithEveryMember,
    BroadcastsToOne,
    KeepsNoBacklog,
    StartsAtTheEarliest,
    IgnoresPrefetch,
    BlocksTheNext,
    // Delivering.
    IgnoresDemand,
    GivesTooMuch,
    LosesOnCancelledPoll,
    DeliversTwice,
    InventsDeliveries,
    DeliversAfterAck,
    CountsWrongly,
    GivesLargerBatches,
    LosesUnsettledOnDrop,
    LosesUnsettledOnClose,
    // Settling.
    IgnoresRetry,
    IgnoresDelay,
    IgnoresEpoch,
    SettlesTwice,
    SettlesAllBefore,
    LosesUnsettledOnLeave,
    IgnoresKeepAlive,
    TakesNothingBack,
    LosesDeadLetters,
    StripsDeadLetters,
    RepeatsDeadLetters,
    // Transactions.
    PublishesOneByOne,
    StoresOutputsAtOnce,
    LosesOutputs,
    OutputsOutliveTheirMember,
    // Beside.
    IgnoresSeek,
    SeeksOneTooFar,
    SeeksTimeAtTheEarliest,
    LagIsZero,
    MakesNoGroups,
    KeepsDeletedGroups,
    DeletesGroupsInUse,
    LeaksPassword,
    LeaksPasswordInErrors,
    ForgetsOnRestart,
}

impl Fault {
    /// Whether it shows only where the transport inside has transactions.
    pub(crate) fn is_about_transactions(self) -> bool {
        matches!(
            self,
            Fault::PublishesOneByOne
                | Fault::StoresOutputsAtOnce
                | Fault::LosesOutputs
                | Fault::OutputsOutliveTheirMember
        )
    }
}

/// Group, topic and position.
type Place = (String, String, u64);
type Live = (Token, Arc<dyn Settler>);

/// What the broken transports of one fixture know of each other.
#[derive(Default)]
pub(crate) struct Wires {
    topics: Mutex<Vec<String>>,
    /// The live delivery of each message to each group: what a settlement under an old epoch wrongly settles.
    live: Mutex<HashMap<Place, Live>>,
    /// The transport inside, for what is published beside it.
    beside: OnceLock<Arc<dyn Transport>>,
}

/// Deliveries that are with members of one transport, and who can settle them.
pub(crate) type Outstanding = Arc<Mutex<HashMap<Token, (Delivery, Arc<dyn Settler>)>>>;

pub(crate) struct Broken {
    inner: Arc<dyn Transport>,
    fault: Fault,
    capabilities: Capabilities,
    wires: Arc<Wires>,
    published: AtomicU64,
    buffer: Mutex<Vec<Outbound>>,
    closed: AtomicBool,
    closes: AtomicUsize,
    deletes: AtomicUsize,
    take_another: Arc<AtomicBool>,
    outstanding: Outstanding,
}

impl Broken {
    pub(crate) fn new(inner: Arc<dyn Transport>, fault: Fault, wires: Arc<Wires>) -> Self {
        let mut capabilities = inner.capabilities().clone();
        if fault == Fault::TakesNothingBack {
            // The transport inside takes long to take back what this one promises soon.
            capabilities.settle_within = Some(Duration::from_secs(1));
        }
        if fault == Fault::GivesLargerBatches {
            capabilities.max_batch = Some(2);
        }
        wires.beside.get_or_init(|| Arc::clone(&inner));
        Broken {
            inner,
            fault,
            capabilities,
            wires,
            published: AtomicU64::new(0),
            buffer: Mutex::default(),
            closed: AtomicBool::new(false),
            closes: AtomicUsize::new(0),
            deletes: AtomicUsize::new(0),
            take_another: Arc::default(),
            outstanding: Arc::default(),
        }
    }
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Broken")
    }
}

#[async_trait]
impl Transport for Broken {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn describe(&self) -> String {
        match self.fault {
            Fault::LeaksPassword => format!("reference://user:{SECRET}@localhost"),
            _ => self.inner.describe(),
        }
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        self.publish_broken(batch).await
    }

    async fn publish_atomically(&self, batch: Vec<Outbound>) -> Published {
        if self.fault != Fault::PublishesOneByOne {
            return self.inner.publish_atomically(batch).await;
        }
        let outcomes = self.inner.publish(batch).await;
        outcomes.into_iter().find(|one| !matches!(one, Published::Acked)).unwrap_or(Published::Acked)
    }

    async fn subscribe(&self, mut subscription: Subscription) -> Result<Subscribed, Error> {
        let topics = subscription.interests.iter().map(|interest| interest.topic.clone());
        self.wires.topics.lock().unwrap().extend(topics);
        match self.fault {
            Fault::MixesGroups => subscription.group = subscription.interests[0].topic.clone(),
            Fault::ForgetsTopics => subscription.interests.truncate(10),
            Fault::SharesWithEveryMember => subscription.mode = Mode::Broadcast,
            Fault::BroadcastsToOne => subscription.mode = Mode::Competing,
            Fault::KeepsNoBacklog => subscription.start = Start::Latest,
            Fault::StartsAtTheEarliest => subscription.start = Start::Earliest,
            Fault::IgnoresPrefetch => subscription.prefetch = usize::MAX,
            Fault::BlocksTheNext => subscription.prefetch = 1,
            _ => {}
        }
        let group = subscription.group.clone();
        let inner = self.inner.subscribe(subscription).await?;
        Ok(BrokenHalves::around(inner, self.fault, group, &self.wires, &self.outstanding))
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    async fn close(&self, limit: Duration) -> Result<(), Error> {
        self.closed.store(true, Ordering::SeqCst);
        match self.fault {
            Fault::AcksAfterClose => return Ok(()),
            Fault::ClosesOnce if self.closes.fetch_add(1, Ordering::SeqCst) > 0 => {
                return Err(Error::new(ErrorKind::Closed, "the transport was closed before"));
            }
            Fault::LosesUnsettledOnClose => consuming::ack_outstanding(&self.outstanding).await,
            _ => {}
        }
        self.inner.close(limit).await
    }
}

#[async_trait]
impl Admin for Broken {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        self.admin_inside()?.ensure_topics(topics).await
    }

    async fn ensure_groups(&self, groups: &[Subscription]) -> Result<(), Error> {
        match self.fault {
            Fault::MakesNoGroups => Ok(()),
            _ => self.admin_inside()?.ensure_groups(groups).await,
        }
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        match self.fault {
            Fault::KeepsDeletedGroups if self.deletes.fetch_add(1, Ordering::SeqCst) > 0 => Ok(()),
            Fault::DeletesGroupsInUse => Ok(()),
            _ => self.admin_inside()?.delete_group(group).await,
        }
    }

    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error> {
        match self.fault {
            Fault::LagIsZero => Ok(Vec::new()),
            _ => self.admin_inside()?.lag(group).await,
        }
    }

    async fn seek(&self, group: &str, start: Start) -> Result<(), Error> {
        let start = match (self.fault, start) {
            (Fault::IgnoresSeek, _) => return Ok(()),
            (Fault::SeeksOneTooFar, Start::Positions(mut places)) => {
                places.iter_mut().for_each(|place| place.position.0 += 1);
                Start::Positions(places)
            }
            (Fault::SeeksTimeAtTheEarliest, Start::Time(_)) => Start::Earliest,
            (_, start) => start,
        };
        self.admin_inside()?.seek(group, start).await
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        self.admin_inside()?.dead_letters(group, limit).await
    }
}

impl Broken {
    fn admin_inside(&self) -> Result<&dyn Admin, Error> {
        self.inner.admin().ok_or_else(|| Error::config("no admin"))
    }
}
