//! The bus that a transport leads to.

use jitney_core::{Error, ErrorKind};

use crate::config::Builder;
use crate::error::{self, Said};
use crate::names::arn_beside;
use crate::sdk::Clients;

/// A bus that is there.
#[derive(Debug, Clone)]
pub(crate) struct Bus {
    pub(crate) clients: Clients,
    pub(crate) name: String,
    pub(crate) arn: String,
    /// For messages to people.
    pub(crate) url: String,
}

impl Bus {
    /// Looks for the bus that `builder` names.
    pub(crate) async fn find(builder: &Builder) -> Result<Self, Error> {
        let config = &builder.config;
        let clients = Clients::of(builder).await?;
        let place = |clients: &Clients| {
            let region = clients.events.config().region().map_or("no region", |region| region.as_ref());
            let endpoint = config.endpoint.as_deref().unwrap_or("AWS");
            format!("bus `{}` in region `{region}` at {endpoint}", config.bus)
        };
        let doing = format!("looking for {}", place(&clients));
        let found = clients.events.describe_event_bus().name(&config.bus).send().await;
        match found {
            Ok(found) => {
                let arn = found.arn().unwrap_or_default().to_owned();
                Ok(Bus { clients, name: config.bus.clone(), arn, url: config.describe() })
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Err(Error::config(format!(
                    "{doing}: there is none; create it (`aws events create-event-bus --name {}`), or correct name, region or \
                     endpoint",
                    config.bus
                )))
            }
            Err(error) if Said::of(&error).code.as_deref() == Some("AccessDeniedException") => {
                let what = format!(
                    "{doing}: it may not be looked at, and events for a bus that is not there can look published; grant \
                     `events:DescribeEventBus`"
                );
                Err(Error::new(ErrorKind::Transport, what)
                    .retryable(false)
                    .with_source(error::failed(&doing, &error)))
            }
            Err(error) => Err(error::failed(&doing, &error)),
        }
    }

    /// The `arn` of an archive of this account.
    pub(crate) fn archive_arn(&self, name: &str) -> String {
        arn_beside(&self.arn, "events", &format!("archive/{name}"))
    }
}
