//! The servers by name, as `cargo xtask up`, `down` and `status` know them.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::str::FromStr;
use std::time::Duration;

use crate::choice;
use crate::error::Error;
use crate::eventbridge::EventBridge;
use crate::kafka::cluster::Cluster;
use crate::kafka::throw_away;
use crate::kind::Kind;
use crate::managed::{Make, Managed};
use crate::place::{Place, remove_folder};
use crate::postgres::{self, Postgres};
use crate::rabbitmq::RabbitMq;
use crate::registry::Registry;
use crate::status::{State, Status};

const STARTING: Duration = Duration::from_secs(90);

/// A server that `cargo xtask up` starts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Server {
    /// Kafka on one node; it also has listeners for logins and for TLS.
    Kafka,
    /// Kafka on three nodes, for tests that kill or freeze some of them.
    Kafka3,
    /// RabbitMQ on one node.
    RabbitMq,
    /// EventBridge and SQS, as ministack imitates them.
    EventBridge,
    /// PostgreSQL, which takes prepared transactions too.
    Postgres,
    /// A schema registry: Apicurio, which speaks Confluent's protocol.
    Registry,
}

impl Server {
    /// All servers.
    pub const ALL: [Self; 6] =
        [Self::Kafka, Self::Kafka3, Self::RabbitMq, Self::EventBridge, Self::Postgres, Self::Registry];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Kafka3 => "kafka3",
            Self::RabbitMq => "rabbitmq",
            Self::EventBridge => "eventbridge",
            Self::Postgres => "postgres",
            Self::Registry => "registry",
        }
    }

    /// The environment variable that gives the URL of a server to use in place of one of ours.
    #[must_use]
    pub fn variable(self) -> &'static str {
        match self {
            Self::Kafka => "JITNEY_KAFKA_URL",
            Self::Kafka3 => "JITNEY_KAFKA3_URL",
            Self::RabbitMq => "JITNEY_RABBITMQ_URL",
            Self::EventBridge => "JITNEY_EVENTBRIDGE_URL",
            Self::Postgres => "JITNEY_POSTGRES_URL",
            Self::Registry => "JITNEY_REGISTRY_URL",
        }
    }

    /// Starts the server, or what does not run of it, and waits until it serves; one that is
    /// given is not touched.
    ///
    /// Installs and fetches what is needed and lacking, where that is possible. Several processes may call this at
    /// once.
    ///
    /// # Errors
    ///
    /// When something needed is missing, a port is taken, or the server does not serve within 90 seconds.
    pub fn up(self) -> Result<Status, Error> {
        if choice::given(self)?.is_some() {
            return self.status();
        }
        let place = Place::of_repository();
        let _lock = place.lock(self.name())?;
        let made = match self.find(&place)? {
            Some(made) => made,
            None => self.make(&place)?,
        };
        made.heal(STARTING)?;
        self.status()
    }

    /// Kills the server, if it runs, and removes its data. Its output stays until the next [`up`](Self::up); one that
    /// is given is not touched.
    ///
    /// # Errors
    ///
    /// When a process cannot be killed, or a folder not be removed.
    pub fn down(self) -> Result<Status, Error> {
        if choice::given(self)?.is_none() {
            let place = Place::of_repository();
            let _lock = place.lock(self.name())?;
            if let Some(made) = self.find(&place)? {
                made.remove()?;
            }
        }
        self.status()
    }

    /// How the server is now: asks it once, for at most two seconds.
    ///
    /// # Errors
    ///
    /// When the folder of its state cannot be read, or the variable with its URL has no usable value.
    pub fn status(self) -> Result<Status, Error> {
        if let Some(url) = choice::given(self)? {
            return Ok(Status { server: self, state: State::Given, url, pids: Vec::new() });
        }
        let Some(made) = self.find(&Place::of_repository())? else {
            let url = self.future_url()?;
            return Ok(Status { server: self, state: State::Down, url, pids: Vec::new() });
        };
        let pids = made.pids();
        let state = match pids.len() {
            0 => State::Down,
            running if running < made.size() => State::Partly { running, of: made.size() },
            _ if made.is_ready() => State::Up,
            _ => State::NotReady,
        };
        Ok(Status { server: self, state, url: made.url(), pids })
    }

    fn find(self, place: &Place) -> Result<Option<Box<dyn Managed>>, Error> {
        fn found<T: Make + 'static>(
            place: &Place,
            server: Server,
        ) -> Result<Option<Box<dyn Managed>>, Error> {
            Ok(T::find(place, server)?.map(|made| Box::new(made) as Box<dyn Managed>))
        }
        match self {
            Self::Kafka | Self::Kafka3 => found::<Cluster>(place, self),
            Self::RabbitMq => found::<RabbitMq>(place, self),
            Self::EventBridge => found::<EventBridge>(place, self),
            Self::Postgres => found::<Postgres>(place, self),
            Self::Registry => found::<Registry>(place, self),
        }
    }

    fn make(self, place: &Place) -> Result<Box<dyn Managed>, Error> {
        let kind = choice::kind();
        Ok(match self {
            Self::Kafka | Self::Kafka3 => Box::new(Cluster::make(place, self, kind)?),
            Self::RabbitMq => Box::new(RabbitMq::make(place, self, kind)?),
            Self::EventBridge => Box::new(EventBridge::make(place, self, kind)?),
            Self::Postgres => Box::new(Postgres::make(place, self, kind)?),
            // Java runs it as well beside a Docker engine.
            Self::Registry => Box::new(Registry::make(place, self, Kind::Packages)?),
        })
    }

    fn future_url(self) -> Result<String, Error> {
        match self {
            Self::Kafka | Self::Kafka3 => Cluster::future_url(self),
            Self::RabbitMq => RabbitMq::future_url(self),
            Self::EventBridge => EventBridge::future_url(self),
            Self::Postgres => Postgres::future_url(self),
            Self::Registry => Registry::future_url(self),
        }
    }
}

impl Display for Server {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for Server {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let named = Self::ALL.into_iter().find(|server| server.name() == name);
        named.ok_or_else(|| Error::UnknownServer { name: name.to_owned() })
    }
}

/// Kills the throw-away nodes and servers that tests left behind, and removes their folders.
///
/// # Errors
///
/// When a process cannot be killed, or a folder not be removed.
pub fn down_throw_away() -> Result<(), Error> {
    let folder = Place::of_repository().throw_away();
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        postgres::throw_away::kill(&entry.path())?;
        throw_away::remove(&entry.path())?;
    }
    remove_folder(&folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_its_name() {
        for server in Server::ALL {
            assert_eq!(server.to_string().parse::<Server>().unwrap(), server);
        }
        assert!("Kafka".parse::<Server>().is_err());
    }
}
