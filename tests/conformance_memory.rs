//! The transport conformance suite on the memory bus, by the rules of each broker.

use std::sync::Arc;

use jitney_core::transport::Transport;
use jitney_core::{Capabilities, Env, Error};
use jitney_memory::{Memory, Semantics};
use jitney_testkit::conformance::{self, Fixture};
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
            // A log with one committed position per partition; a queue that one member reads at a time.
            Semantics::Kafka | Semantics::RabbitMq => expectations,
            // A queue too: the archive behind it does not change how deliveries are settled.
            Semantics::EventBridge => expectations.settles_up_to_a_gap(false),
        }
    }
}

/// What no rules promise is skipped, and nothing else is.
#[test]
fn only_what_is_not_promised_is_skipped() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime can be built");
    let skipped = |semantics| {
        let report = runtime.block_on(async { conformance::run(&OnMemory::new(semantics)).await });
        report.skipped().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(
        skipped(Semantics::Kafka),
        [
            "keeps_to_its_batches",
            "counts_deliveries",
            "keep_alive_holds_a_delivery",
            "takes_back_what_is_held_too_long",
            "survives_restarts_of_the_broker",
            "keeps_credentials_to_itself"
        ]
    );
    assert_eq!(
        skipped(Semantics::RabbitMq),
        [
            "new_group_gets_the_backlog",
            "keeps_to_its_batches",
            "keep_alive_holds_a_delivery",
            "takes_back_what_is_held_too_long",
            "publishes_all_or_nothing",
            "stores_outputs_with_settlements",
            "outputs_wait_for_what_came_earlier",
            "replays_from_the_earliest",
            "replays_from_a_position",
            "replays_from_a_time",
            "survives_restarts_of_the_broker",
            "keeps_credentials_to_itself"
        ]
    );
    assert_eq!(
        skipped(Semantics::EventBridge),
        [
            "keeps_order_per_key",
            "broadcasts_to_every_member",
            "new_group_gets_the_backlog",
            "publishes_all_or_nothing",
            "stores_outputs_with_settlements",
            "outputs_wait_for_what_came_earlier",
            "replays_from_a_position",
            "survives_restarts_of_the_broker",
            "keeps_credentials_to_itself"
        ]
    );
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
