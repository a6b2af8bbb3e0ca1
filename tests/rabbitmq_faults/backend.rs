//! What a run has to know of RabbitMQ.

use jitney::admin::TopicSpec;
use jitney::prelude::*;
use jitney::rabbitmq::RabbitMq;
use jitney::transport::Transport;
use jitney_testkit::history::Expectations;

use crate::faults::events::{Derived, Happened, Work};

/// One member of a group is active, and the others stand by.
pub(crate) const ALL_MEMBERS_WORK: bool = false;

/// A server that hangs is noticed within seconds; one that is slow to start is waited for.
pub(crate) const QUICK: &str = "heartbeat=2s&publish_timeout=10m";

/// Where nothing but processes ends, nobody is to be taken for dead because the machine is busy.
pub(crate) const CALM: &str = "heartbeat=20s";

/// Where the processes of a run connect to, with the settings of most of them.
pub(crate) fn url(server: &str) -> String {
    format!("{server}/?{QUICK}")
}

/// The transport that a run watches.
pub(crate) async fn connect(url: &str) -> Result<Box<dyn Transport>, jitney::Error> {
    Ok(Box::new(RabbitMq::from_url(url).await?))
}

/// A topic as runs have it.
pub(crate) fn topic(name: &str) -> TopicSpec {
    TopicSpec::new(name)
}

/// What every history must show.
pub(crate) fn expectations() -> Expectations {
    // The server does not answer acks: those that a broken connection swallowed were never given. And what it did not
    // confirm before the connection broke is sent again, though it may have it.
    Expectations::default().faults_undo_settlements(true).faults_repeat_publishes(true)
}

/// What makes an output of each event, and reads the outputs.
pub(crate) fn deriving() -> HandlerSet {
    handlers![derive, collect]
}

#[handler(group = "derived", concurrency = 16)]
async fn derive(event: Happened, State(work): State<Work>) -> Derived {
    work.done().await;
    event.into()
}

#[handler(group = "collected", concurrency = 16)]
async fn collect(_: Derived) {}
