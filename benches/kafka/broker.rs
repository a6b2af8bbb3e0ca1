//! The broker that is measured on.

use std::time::Duration;

use jitney::Bus;
use jitney::admin::{Admin, TopicSpec};
use jitney::kafka::Kafka;
use jitney_test_servers::{ThrowAway, ThrowAwayNode};

use crate::contestant::Failure;
use crate::settings::{PARTITIONS, TOPIC};

/// A broker, for as long as it is kept.
pub struct Broker {
    /// `host:port`, parted by commas.
    pub address: String,
    _own: Option<ThrowAwayNode>,
}

impl Broker {
    /// How many events are measured with, unless told otherwise.
    pub const EVENTS: u64 = 1_000_000;
    /// Whether events stay when a group has settled them: what was published once is consumed in every round.
    pub const KEEPS_EVENTS: bool = true;

    /// The broker that `JITNEY_KAFKA_URL` names, or one of its own.
    pub fn find() -> Result<Self, Failure> {
        let (url, own) = match std::env::var("JITNEY_KAFKA_URL") {
            Ok(url) => (url, None),
            Err(_) => {
                let node = ThrowAway::new("bench").ports_from(29_592).start(Duration::from_secs(60))?;
                (node.url(), Some(node))
            }
        };
        let address = url.trim_start_matches("kafka://").trim_end_matches('/').to_owned();
        Ok(Broker { address, _own: own })
    }

    /// Makes the topic.
    pub async fn prepare(&self) -> Result<(), Failure> {
        let kafka = Kafka::builder(&self.address).connect().await?;
        Ok(kafka.ensure_topics(&[TopicSpec::new(TOPIC).partitions(PARTITIONS)]).await?)
    }

    /// A bus on the broker at `address`.
    pub async fn bus(address: &str) -> Result<Bus, Failure> {
        Ok(Bus::new(Kafka::builder(address).connect().await?))
    }
}
