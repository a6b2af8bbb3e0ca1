//! The broker that is measured on.

use jitney::Bus;
use jitney::rabbitmq::RabbitMq;
use jitney_test_servers::Server;

use crate::contestant::Failure;

/// A broker, for as long as it is kept.
pub struct Broker {
    /// Its URL.
    pub address: String,
    /// Whether it was started for this.
    is_own: bool,
}

impl Broker {
    /// How many events are measured with, unless told otherwise.
    pub const EVENTS: u64 = 100_000;
    /// Whether events stay when a group has settled them: what was published once is consumed in every round.
    pub const KEEPS_EVENTS: bool = false;

    /// The broker that `JITNEY_RABBITMQ_URL` names, or the one for tests.
    pub fn find() -> Result<Self, Failure> {
        let is_own = jitney_test_servers::rabbitmq_url().is_err();
        Server::RabbitMq.up()?;
        Ok(Broker { address: jitney_test_servers::rabbitmq_url()?, is_own })
    }

    /// Nothing is to be made: groups make what they are fed by.
    pub async fn prepare(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// A bus on the broker at `address`.
    pub async fn bus(address: &str) -> Result<Bus, Failure> {
        Ok(Bus::new(RabbitMq::from_url(address).await?))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.is_own
            && let Err(error) = Server::RabbitMq.down()
        {
            eprintln!("the broker could not be ended: {error}");
        }
    }
}
