//! Where a server comes from: an address that was given, else a Docker engine, else packages.

use std::env;

use crate::docker;
use crate::error::Error;
use crate::kind::Kind;
use crate::server::Server;

/// The URL that the environment gives for `server`, if it does.
pub(crate) fn given(server: Server) -> Result<Option<String>, Error> {
    env::var(server.variable()).map_or(Ok(None), |text| checked(server, &text))
}

/// What a server that is not given runs in.
pub(crate) fn kind() -> Kind {
    if docker::answers() { Kind::Docker } else { Kind::Packages }
}

/// `text` if it is a URL; a variable that is empty gives nothing.
fn checked(server: Server, text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let (form, is_right): (_, fn(&str) -> bool) = match server {
        Server::Kafka | Server::Kafka3 => ("kafka://HOST:PORT,HOST:PORT", |text| {
            let addresses = text.strip_prefix("kafka://").unwrap_or_default();
            addresses.split(',').all(|address| address.contains(':'))
        }),
        Server::RabbitMq => ("amqp://USER:PASSWORD@HOST:PORT", |text| {
            ["amqp://", "amqps://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
        }),
        Server::EventBridge => ("eventbridge://BUS?endpoint=URL&region=REGION", |text| {
            text.strip_prefix("eventbridge://").is_some_and(|rest| rest.contains("region="))
        }),
        Server::Postgres => ("postgres://USER:PASSWORD@HOST:PORT/DATABASE", |text| {
            let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
            rest.is_some_and(|rest| rest.contains('/'))
        }),
        Server::Registry => ("http://HOST:PORT/PATH", |text| {
            ["http://", "https://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
        }),
    };
    if is_right(text) {
        return Ok(Some(text.to_owned()));
    }
    let why = format!("it is not of the form `{form}`");
    Err(Error::Setting { name: server.variable().to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_given_and_an_empty_variable_gives_nothing() {
        let url = "kafka://one:9092,two:9092";
        assert_eq!(checked(Server::Kafka, url).unwrap().as_deref(), Some(url));
        assert_eq!(checked(Server::Kafka, "").unwrap(), None);
        for (server, url) in [
            (Server::RabbitMq, "amqps://user:secret@one/vhost"),
            (Server::EventBridge, "eventbridge://orders?region=eu-central-1"),
            (Server::Postgres, "postgres://user:secret@one:5432/orders"),
            (Server::Postgres, "postgresql://one/orders"),
            (Server::Registry, "https://one:8081/apis/ccompat/v7"),
        ] {
            assert_eq!(checked(server, url).unwrap().as_deref(), Some(url));
        }
    }

    #[test]
    fn what_is_no_url_is_an_error_that_names_the_variable_and_not_its_value() {
        for text in ["one:9092", "kafka://", "kafka://one", "amqp://user:secret@one"] {
            let error = checked(Server::Kafka3, text).unwrap_err().to_string();
            assert!(error.starts_with("`JITNEY_KAFKA3_URL` cannot be used: "), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        let error = checked(Server::RabbitMq, "http://user:secret@one").unwrap_err().to_string();
        assert_eq!(
            error,
            "`JITNEY_RABBITMQ_URL` cannot be used: it is not of the form `amqp://USER:PASSWORD@HOST:PORT`"
        );
        assert!(checked(Server::EventBridge, "eventbridge://orders").is_err());
        assert!(checked(Server::Postgres, "postgres://user:secret@one").is_err());
        assert!(checked(Server::Registry, "one:8081").is_err());
    }
}
