//! What holds for every group of an application.

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::Limits;
use crate::handler::Requirement;
use crate::inbox::Inbox;
use crate::middleware::RetryPolicy;
use crate::processed::ProcessedEvents;
use crate::transport::Start;

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) retry: RetryPolicy,
    pub(super) timeout: Duration,
    pub(super) limits: Limits,
    pub(super) strict: bool,
    pub(super) start: Start,
    pub(super) drain_within: Duration,
    pub(super) processed: Option<Arc<dyn ProcessedEvents>>,
    pub(super) inboxes: Vec<Arc<dyn Inbox>>,
    pub(super) group_prefix: Option<String>,
    pub(super) close_buses: bool,
    pub(super) members: u32,
}

impl Settings {
    /// The inbox whose transactions are what `requirement` asks for.
    pub(super) fn inbox_for(&self, requirement: &Requirement) -> Option<&Arc<dyn Inbox>> {
        self.inboxes.iter().find(|inbox| inbox.offers().id == requirement.id)
    }

    /// Where handlers that ask for no transaction keep what they have handled, as far as that was chosen.
    pub(super) fn processed_events(&self) -> Option<Arc<dyn ProcessedEvents>> {
        let inbox = || self.inboxes.first().map(|inbox| Arc::clone(inbox) as Arc<dyn ProcessedEvents>);
        self.processed.clone().or_else(inbox)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(30),
            limits: Limits::default(),
            strict: false,
            start: Start::Earliest,
            drain_within: Duration::from_secs(30),
            processed: None,
            inboxes: Vec::new(),
            group_prefix: None,
            close_buses: true,
            members: 1,
        }
    }
}
