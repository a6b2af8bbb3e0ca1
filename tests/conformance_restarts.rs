//! What was acked outlives the broker: the conformance check that restarts it, on the brokers that can be killed here. In a
//! program of its own, since no other test may be at work meanwhile.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use jitney::Error;
use jitney::kafka::Kafka;
use jitney::rabbitmq::RabbitMq;
use jitney::transport::Transport;
use jitney_test_servers::Server;
use jitney_testkit::conformance::{self, Fixture};

/// How long a broker may take to be back.
const BACK: Duration = Duration::from_secs(180);

/// A broker that is killed with SIGKILL, and started again with the data that it has.
struct Killed {
    server: Server,
    url: String,
    again: fn() -> Result<(), jitney_test_servers::Error>,
}

#[async_trait::async_trait]
impl Fixture for Killed {
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        Ok(match self.server {
            Server::RabbitMq => Arc::new(RabbitMq::from_url(&self.url).await?),
            _ => Arc::new(Kafka::from_url(&self.url).await?),
        })
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn quiet(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn can_restart(&self) -> bool {
        true
    }

    async fn restart(&self) -> Result<(), Error> {
        let again = self.again;
        let back =
            tokio::task::spawn_blocking(again).await.map_err(|error| Error::config(error.to_string()))?;
        back.map_err(|error| Error::config(error.to_string()))
    }
}

fn survives(fixture: Killed) {
    let clock = conformance::Clock::Real;
    conformance::test("survives_restarts_of_the_broker", clock, async { fixture });
}

/// RabbitMQ 3.10 writes the names of new quorum queues behind their declaration: killed within half a second of it, the server
/// begins the queue anew and empty, without a leader. What is tested here is a queue that it has written down.
const NAMES_WRITTEN: [&str; 2] = ["eval", "ok = dets:sync(ra_directory_reverse)."];

fn rabbitmq_again() -> Result<(), jitney_test_servers::Error> {
    let broker = jitney_test_servers::RabbitMq::single()?;
    broker.control(&NAMES_WRITTEN)?;
    broker.kill()?;
    broker.start()?;
    broker.wait_ready(BACK)
}

fn kafka_again() -> Result<(), jitney_test_servers::Error> {
    let cluster = jitney_test_servers::Kafka::single()?;
    cluster.node(1).kill()?;
    cluster.node(1).start()?;
    cluster.wait_ready(BACK)
}

/// Whether the server of this run can be killed; says why not.
fn is_ours<T>(found: Result<T, jitney_test_servers::Error>, test: &str) -> bool {
    match found {
        Ok(_) => true,
        Err(error) if error.is_given() => {
            println!("skipped: {test}: {error}");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn kafka_keeps_what_was_acked() {
    if is_ours(jitney_test_servers::Kafka::single(), "kafka_keeps_what_was_acked") {
        let url = jitney_test_servers::kafka_url().unwrap();
        let url = format!("{url}/?commit_interval=50ms&partitions=4&session.timeout.ms=6000");
        survives(Killed { server: Server::Kafka, url, again: kafka_again });
    }
}

#[test]
fn rabbitmq_keeps_what_was_acked() {
    if is_ours(jitney_test_servers::RabbitMq::single(), "rabbitmq_keeps_what_was_acked") {
        let url = jitney_test_servers::rabbitmq_url().unwrap();
        survives(Killed { server: Server::RabbitMq, url, again: rabbitmq_again });
    }
}
