//! What a run has to know of EventBridge.

use std::time::Duration;

use jitney::admin::TopicSpec;
use jitney::eventbridge::Builder;
use jitney::prelude::*;
use jitney::transport::Transport;
use jitney_testkit::history::Expectations;

use crate::faults::events::{Derived, Happened, Work};

/// All members of a group receive from its queue.
pub(crate) const ALL_MEMBERS_WORK: bool = true;

/// What a killed member had comes again after so long: a run of many deaths ends within a minute.
const VISIBILITY: Duration = Duration::from_secs(12);

/// How long a server may take that does not hang.
const CALM: &str = "59s";

/// Where the processes of a run connect to. A server that is slow is not asked twice, which would repeat events.
pub(crate) fn url(server: &str) -> String {
    format!(
        "{server}&visibility={}s&wait=1s&request_timeout={CALM}&publish_timeout=10m",
        VISIBILITY.as_secs()
    )
}

/// The same where a server that hangs is to be noticed within seconds.
pub(crate) fn quick(url: &str) -> String {
    url.replace(CALM, "5s")
}

/// The transport that a run watches. The server takes any credentials.
pub(crate) async fn connect(url: &str) -> Result<Box<dyn Transport>, jitney::Error> {
    let builder = Builder::from_url(url)?;
    Ok(Box::new(builder.credentials("test", "test", None).connect().await?))
}

/// A topic as runs have it.
pub(crate) fn topic(name: &str) -> TopicSpec {
    TopicSpec::new(name)
}

/// What every history must show.
pub(crate) fn expectations() -> Expectations {
    // What was not answered is sent again, though the server may have it.
    let mut expectations = Expectations::default().ordered(false).faults_repeat_publishes(true);
    // As the transport's capabilities say: a delivery may have waited before it was handed out.
    expectations.settle_within = Some(VISIBILITY * 2 / 3);
    expectations
}

/// What makes an output of each event.
pub(crate) fn deriving() -> HandlerSet {
    handlers![derive]
}

#[handler(group = "derived", concurrency = 16)]
async fn derive(event: Happened, State(work): State<Work>) -> Derived {
    work.done().await;
    event.into()
}
