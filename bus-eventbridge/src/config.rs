//! How an EventBridge transport is set up.

mod url;

use std::fmt;
use std::time::Duration;

use aws_sdk_eventbridge::config::{Credentials, SharedHttpClient};
use jitney_core::{Capabilities, Env, Error};

use crate::EventBridge;
use crate::client::capabilities;

/// The set-up of an [`EventBridge`]; made by [`EventBridge::builder`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) clients: Option<(aws_sdk_eventbridge::Client, aws_sdk_sqs::Client)>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) http_client: Option<SharedHttpClient>,
    pub(crate) env: Env,
}

/// Everything that is set up but clients and environment.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) bus: String,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) create: bool,
    pub(crate) archive: Option<String>,
    pub(crate) publish_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_requests: usize,
    pub(crate) visibility: Duration,
    pub(crate) wait: Duration,
    pub(crate) max_receives: u32,
}

impl Config {
    /// Where this leads, as a URL.
    pub(crate) fn describe(&self) -> String {
        let said = [("region", &self.region), ("endpoint", &self.endpoint)];
        let said = said.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
        let query: Vec<_> = said.collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("eventbridge://{}{mark}{}", self.bus, query.join("&"))
    }
}

impl Builder {
    pub(crate) fn new(bus: &str) -> Self {
        let config = Config {
            bus: bus.to_owned(),
            region: None,
            endpoint: None,
            create: true,
            archive: None,
            publish_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            max_requests: 8,
            visibility: Duration::from_secs(30),
            wait: Duration::from_secs(20),
            max_receives: 100,
        };
        Builder { config, clients: None, credentials: None, http_client: None, env: Env::system() }
    }

    /// The AWS region, such as `eu-west-1`; `AWS_REGION` or `AWS_DEFAULT_REGION` unless told otherwise.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.config.region = Some(region.into());
        self
    }

    /// Where EventBridge and SQS are, both, as a URL: for servers that stand in for AWS.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.config.endpoint = Some(url.into());
        self
    }

    /// Who we are, where neither the environment nor the SDK's chain is to say it.
    pub fn credentials(
        mut self,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        let given = Credentials::new(access_key_id, secret_access_key, session_token, None, "jitney");
        self.credentials = Some(given);
        self
    }

    /// Clients that are set up already, with credentials, region, endpoint and HTTP client of their own; what is set here for
    /// those has no effect then. Retries of PutEvents are this transport's, whatever the client's are.
    pub fn clients(mut self, events: aws_sdk_eventbridge::Client, queues: aws_sdk_sqs::Client) -> Self {
        self.clients = Some((events, queues));
        self
    }

    /// What carries requests; a client of the AWS SDK with rustls unless told otherwise.
    pub fn http_client(mut self, client: impl aws_sdk_eventbridge::config::HttpClient + 'static) -> Self {
        self.http_client = Some(SharedHttpClient::new(client));
        self
    }

    /// Whether rules, queues and the archive that are missing are made when a group subscribes, and its own ones changed to
    /// what its handlers need; so unless told otherwise. If not, what is missing or differs is an error that says so: make it
    /// from [`EventBridge::plan`]. The bus itself is never made.
    pub fn create(mut self, create: bool) -> Self {
        self.config.create = create;
        self
    }

    /// The archive of the bus, from which groups are sent events again
    /// ([`Start::Time`](jitney_core::transport::Start::Time), [`Admin::seek`](jitney_core::admin::Admin::seek)). Without one
    /// there is no replay.
    pub fn archive(mut self, name: impl Into<String>) -> Self {
        self.config.archive = Some(name.into());
        self
    }

    /// After how long publishing an event is given up; 30 seconds unless told otherwise. Until then it is tried again
    /// where that may help; a request that is under way then is still waited for.
    pub fn publish_timeout(mut self, limit: Duration) -> Self {
        self.config.publish_timeout = limit;
        self
    }

    /// How long one request may take; 10 seconds unless told otherwise. A long poll may take as much longer as it
    /// [waits](Self::wait).
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.config.request_timeout = limit;
        self
    }

    /// How long connecting may take; 5 seconds unless told otherwise.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.config.connect_timeout = limit;
        self
    }

    /// How many PutEvents requests are under way at once at most; 8 unless told otherwise. When EventBridge throttles, requests
    /// are spaced out, and closer again when it takes them.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.config.max_requests = requests.max(1);
        self
    }

    /// How long a delivery is hidden from other members; 30 seconds unless told otherwise, in whole seconds from 1 second to
    /// 12 hours. It may have waited in this process for a third of that: it comes again when it is neither settled nor kept
    /// alive within the rest.
    pub fn visibility(mut self, limit: Duration) -> Self {
        self.config.visibility = Duration::from_secs(limit.as_secs().clamp(1, 43_200));
        self
    }

    /// How long SQS may wait with its answer for a message to come; 20 seconds unless told otherwise, which is the most, in
    /// whole seconds. Shorter waits cost more requests, and nothing is delivered sooner.
    pub fn wait(mut self, limit: Duration) -> Self {
        self.config.wait = Duration::from_secs(limit.as_secs().min(20));
        self
    }

    /// How often a message may be received before SQS itself puts it among the dead letters; 100 times unless told otherwise,
    /// at most 1,000. It is the last resort against messages that kill their handlers: each retry that is handed back to the
    /// queue counts, too.
    pub fn max_receives(mut self, receives: u32) -> Self {
        self.config.max_receives = receives.clamp(1, 1_000);
        self
    }

    /// Where time and randomness come from; the bus must be given the same.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// What a transport with this set-up can do.
    pub fn capabilities(&self) -> Capabilities {
        capabilities(&self.config)
    }

    /// Connects, and looks whether the bus is there.
    ///
    /// # Errors
    ///
    /// When there are no credentials or no region, when the bus does not exist (events for a missing bus can look published)
    /// or AWS does not answer: the message names bus, region and endpoint.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives the connection up; an archive may have been made.
    pub async fn connect(self) -> Result<EventBridge, Error> {
        EventBridge::with(self).await
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("env", &self.env)
            .finish_non_exhaustive()
    }
}
