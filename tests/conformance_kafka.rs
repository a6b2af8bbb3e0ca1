//! The transport conformance suite on a real Kafka: one broker, and three; and that the memory bus answers as Kafka does.

#[path = "conformance/same_answers.rs"]
mod same_answers;

use std::sync::Arc;
use std::time::Duration;

use jitney_core::Error;
use jitney_core::transport::Transport;
use jitney_kafka::Kafka;
use jitney_memory::Semantics;
use jitney_testkit::conformance::Fixture;

use same_answers::assert_same_answers;

struct OnKafka {
    url: String,
}

impl OnKafka {
    fn new(url: Result<String, jitney_test_servers::Error>) -> Self {
        let url = url.unwrap_or_else(|error| panic!("{error}"));
        OnKafka { url: format!("{url}/?commit_interval=50ms&partitions=4") }
    }
}

#[async_trait::async_trait]
impl Fixture for OnKafka {
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        Ok(Arc::new(Kafka::from_url(&self.url).await?))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn quiet(&self) -> Duration {
        Duration::from_secs(1)
    }
}

#[test]
fn the_memory_bus_by_kafkas_rules_gives_the_same_answers_as_kafka() {
    assert_same_answers(Semantics::Kafka, || OnKafka::new(jitney_test_servers::kafka_url()));
}

mod one_broker {
    use super::OnKafka;

    jitney_testkit::conformance_tests!(Real, OnKafka::new(jitney_test_servers::kafka_url()));
}

mod three_brokers {
    use super::OnKafka;

    jitney_testkit::conformance_tests!(Real, OnKafka::new(jitney_test_servers::kafka3_url()));
}
