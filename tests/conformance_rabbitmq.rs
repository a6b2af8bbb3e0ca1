//! The transport conformance suite on a real RabbitMQ, with order by key, in partitions too, and without; and that the memory
//! bus answers as RabbitMQ does.

#[path = "conformance/same_answers.rs"]
mod same_answers;

use std::sync::Arc;
use std::time::Duration;

use jitney_core::Error;
use jitney_core::transport::Transport;
use jitney_memory::Semantics;
use jitney_rabbitmq::RabbitMq;
use jitney_testkit::conformance::Fixture;

use same_answers::assert_same_answers;

fn server() -> String {
    jitney_test_servers::rabbitmq_url().unwrap_or_else(|error| panic!("{error}"))
}

struct OnRabbitMq {
    url: String,
}

impl OnRabbitMq {
    fn new(query: &str) -> Self {
        OnRabbitMq { url: format!("{}/?{query}", server().trim_end_matches('/')) }
    }
}

#[async_trait::async_trait]
impl Fixture for OnRabbitMq {
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        Ok(Arc::new(RabbitMq::from_url(&self.url).await?))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn quiet(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[test]
fn the_memory_bus_by_rabbitmqs_rules_gives_the_same_answers_as_rabbitmq() {
    assert_same_answers(Semantics::RabbitMq, || OnRabbitMq::new(""));
}

mod by_key {
    use super::OnRabbitMq;

    jitney_testkit::conformance_tests!(Real, OnRabbitMq::new(""));
}

mod by_key_in_4_partitions {
    use super::OnRabbitMq;

    jitney_testkit::conformance_tests!(Real, OnRabbitMq::new("partitions=4"));
}

mod without_order {
    use super::OnRabbitMq;

    jitney_testkit::conformance_tests!(Real, OnRabbitMq::new("order=none"));
}
