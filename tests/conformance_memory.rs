//! The transport conformance suite on the memory bus, by the rules of each broker.

use std::sync::Arc;

use jitney_core::transport::Transport;
use jitney_core::{Capabilities, Env, Error};
use jitney_memory::{Memory, Semantics};
use jitney_testkit::conformance::Fixture;
use jitney_testkit::history::Expectations;

struct OnMemory {
    memory: Memory,
    env: Env,
}

impl OnMemory {
    fn new(semantics: Semantics) -> Self {
        let env = Env::seeded(11);
        // Room for the checks of 10,000 events, which no group settles before they are all published.
        let memory = Memory::builder().semantics(semantics).history(20_000).env(env.clone()).build();
        OnMemory { memory, env }
    }
}

#[async_trait::async_trait]
impl Fixture for OnMemory {
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        Ok(Arc::new(self.memory.connect()))
    }

    fn env(&self) -> Env {
        self.env.clone()
    }

    fn expectations(&self, capabilities: &Capabilities) -> Expectations {
        let expectations = Expectations::of(capabilities);
        match self.memory.semantics() {
            // A log with one committed position per partition.
            Semantics::Kafka => expectations,
            // A queue: in order as events leave it, but members work side by side.
            Semantics::RabbitMq => expectations.ordered(false),
            // A queue too: the archive behind it does not change how deliveries are settled.
            Semantics::EventBridge => expectations.settles_up_to_a_gap(false),
        }
    }
}

mod kafka {
    use jitney_memory::Semantics;

    jitney_testkit::conformance_tests!(Virtual, super::OnMemory::new(Semantics::Kafka));
}

mod rabbit_mq {
    use jitney_memory::Semantics;

    jitney_testkit::conformance_tests!(Virtual, super::OnMemory::new(Semantics::RabbitMq));
}

mod event_bridge {
    use jitney_memory::Semantics;

    jitney_testkit::conformance_tests!(Virtual, super::OnMemory::new(Semantics::EventBridge));
}
