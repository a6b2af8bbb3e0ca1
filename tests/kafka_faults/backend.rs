//! What a run has to know of Kafka.

use jitney::admin::TopicSpec;
use jitney::kafka::Kafka;
use jitney::prelude::*;
use jitney::transport::Transport;
use jitney_testkit::history::Expectations;

use crate::faults::events::{Derived, Happened, Work};

/// Each member of a group has partitions.
pub(crate) const ALL_MEMBERS_WORK: bool = true;

const PARTITIONS: u32 = 8;

/// Members that die are noticed within four seconds, so that a run of many deaths ends within a minute.
pub(crate) const QUICK_GROUPS: &str =
    "session.timeout.ms=4000&heartbeat.interval.ms=500&commit_interval=100ms";

/// The same where nobody is to be taken for dead because the machine is busy.
pub(crate) const CALM_GROUPS: &str =
    "session.timeout.ms=8000&heartbeat.interval.ms=500&commit_interval=100ms";

/// Where the processes of a run connect to, with the settings of most of them; brokers that are slow to start are waited for.
pub(crate) fn url(brokers: &str) -> String {
    format!("{brokers}/?{QUICK_GROUPS}&publish_timeout=10m")
}

/// The transport that a run watches.
pub(crate) async fn connect(url: &str) -> Result<Box<dyn Transport>, jitney::Error> {
    Ok(Box::new(Kafka::from_url(url).await?))
}

/// A topic as runs have it.
pub(crate) fn topic(name: &str) -> TopicSpec {
    TopicSpec::new(name).partitions(PARTITIONS)
}

/// What every history must show.
pub(crate) fn expectations() -> Expectations {
    Expectations::default().settles_up_to_a_gap(true)
}

/// What makes an output of each event.
pub(crate) fn deriving() -> HandlerSet {
    handlers![derive]
}

#[handler(group = "derived", concurrency = 16, exactly_once)]
async fn derive(event: Happened, State(work): State<Work>) -> Derived {
    work.done().await;
    event.into()
}
