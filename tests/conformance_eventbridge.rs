//! The transport conformance suite on a server that stands in for EventBridge and SQS; and that the memory bus answers as they do.

#[path = "conformance/same_answers.rs"]
mod same_answers;
#[path = "eventbridge/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use jitney_core::transport::Transport;
use jitney_core::{Env, Error};
use jitney_eventbridge::Builder;
use jitney_memory::Semantics;
use jitney_testkit::conformance::Fixture;

use same_answers::assert_same_answers;

/// A bus of its own for each check.
struct OnServer {
    builder: Builder,
}

impl OnServer {
    fn new() -> Self {
        let archive = format!("archive={:016x}", Env::system().random());
        OnServer { builder: server::new_bus(&format!("visibility=30s&wait=5s&{archive}")) }
    }
}

#[async_trait::async_trait]
impl Fixture for OnServer {
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        Ok(Arc::new(self.builder.clone().connect().await?))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn quiet(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn carries_any_bytes(&self) -> bool {
        false
    }

    fn secret(&self) -> Option<&str> {
        Some(server::SECRET)
    }
}

#[test]
fn the_memory_bus_by_eventbridges_rules_gives_the_same_answers_as_eventbridge() {
    assert_same_answers(Semantics::EventBridge, OnServer::new);
}

mod server_checks {
    use super::OnServer;

    jitney_testkit::conformance_tests!(Real, OnServer::new());
}
