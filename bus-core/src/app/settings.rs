//! What holds for every group of an application.

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::Limits;
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
    pub(super) group_prefix: Option<String>,
    pub(super) close_buses: bool,
    pub(super) members: u32,
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
            group_prefix: None,
            close_buses: true,
            members: 1,
        }
    }
}
