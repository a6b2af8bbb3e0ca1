//! The SDK's clients: who we are, and where EventBridge and SQS are.

use std::time::Duration;

use aws_sdk_eventbridge::config::retry::RetryConfig;
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::config::{Credentials, SharedHttpClient, StalledStreamProtectionConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use jitney_core::Error;

use crate::config::{Builder, Config};

/// Clients of the two services.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// For everything but PutEvents; it tries again by itself.
    pub(crate) events: aws_sdk_eventbridge::Client,
    /// For PutEvents, which is tried again by the publisher.
    pub(crate) put: aws_sdk_eventbridge::Client,
    pub(crate) queues: aws_sdk_sqs::Client,
}

impl Clients {
    /// The clients of `builder`.
    pub(crate) async fn of(builder: &Builder) -> Result<Self, Error> {
        let config = &builder.config;
        let (events, queues) = match &builder.clients {
            Some((events, queues)) => (events.config().to_builder(), queues.config().to_builder()),
            None => {
                let http = builder.http_client.clone().unwrap_or_else(http_client);
                connect(builder, http).await?
            }
        };
        let limits = limits(config, Duration::ZERO);
        let stalled = StalledStreamProtectionConfig::disabled();
        let events = events.timeout_config(limits.clone()).stalled_stream_protection(stalled.clone());
        let queues = queues
            .timeout_config(limits)
            .retry_config(RetryConfig::standard())
            .stalled_stream_protection(stalled)
            .build();
        Ok(Clients {
            put: aws_sdk_eventbridge::Client::from_conf(
                events.clone().retry_config(RetryConfig::disabled()).build(),
            ),
            events: aws_sdk_eventbridge::Client::from_conf(
                events.retry_config(RetryConfig::standard()).build(),
            ),
            queues: aws_sdk_sqs::Client::from_conf(queues),
        })
    }
}

/// The limits of one request, which may wait so much longer than others for its answer.
pub(crate) fn limits(config: &Config, longer: Duration) -> TimeoutConfig {
    let attempt = config.request_timeout + longer;
    TimeoutConfig::builder()
        .connect_timeout(config.connect_timeout)
        .operation_attempt_timeout(attempt)
        .build()
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

type Builders = (aws_sdk_eventbridge::config::Builder, aws_sdk_sqs::config::Builder);

/// Clients by the SDK's usual chain of credentials and regions.
#[cfg(feature = "credentials")]
async fn connect(builder: &Builder, http: SharedHttpClient) -> Result<Builders, Error> {
    let config = &builder.config;
    let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http);
    if let Some(region) = &config.region {
        loader = loader.region(aws_config::Region::new(region.clone()));
    }
    if let Some(endpoint) = &config.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(credentials) = builder.credentials.clone().or_else(|| for_this_machine(config)) {
        loader = loader.credentials_provider(credentials);
    }
    let loaded = loader.load().await;
    if loaded.region().is_none() {
        return Err(no_region(config));
    }
    Ok(((&loaded).into(), (&loaded).into()))
}

/// Clients with the credentials and the region in the environment.
#[cfg(not(feature = "credentials"))]
async fn connect(builder: &Builder, http: SharedHttpClient) -> Result<Builders, Error> {
    use aws_sdk_eventbridge::config::Region;

    let config = &builder.config;
    let region = config.region.clone().or_else(|| set("AWS_REGION")).or_else(|| set("AWS_DEFAULT_REGION"));
    let region = Region::new(region.ok_or_else(|| no_region(config))?);
    let (key, secret) = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY"));
    let from_environment = key
        .zip(secret)
        .map(|(key, secret)| Credentials::new(key, secret, set("AWS_SESSION_TOKEN"), None, "environment"));
    let credentials = builder.credentials.clone().or(from_environment).or_else(|| for_this_machine(config));
    let credentials = credentials.ok_or_else(|| {
        Error::config(format!(
            "connecting to {}: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and \
             AWS_SESSION_TOKEN, where they are temporary), or turn the feature `credentials` on for profiles, SSO, \
             containers and instances",
            config.describe()
        ))
    })?;
    let mut events = aws_sdk_eventbridge::Config::builder();
    let mut queues = aws_sdk_sqs::Config::builder();
    events.set_endpoint_url(config.endpoint.clone());
    queues.set_endpoint_url(config.endpoint.clone());
    Ok((
        events.region(region.clone()).credentials_provider(credentials.clone()).http_client(http.clone()),
        queues.region(region).credentials_provider(credentials).http_client(http),
    ))
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Credentials for a server on this machine that stands in for AWS, where the environment has none: any will do.
fn for_this_machine(config: &Config) -> Option<Credentials> {
    let host = config.endpoint.as_deref()?.split("://").nth(1)?;
    let is_here = ["localhost", "127.0.0.1", "[::1]"].iter().any(|here| {
        host.strip_prefix(here).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    (is_here && set("AWS_ACCESS_KEY_ID").is_none())
        .then(|| Credentials::new("test", "test", None, None, "a server on this machine"))
}

fn no_region(config: &Config) -> Error {
    Error::config(format!(
        "connecting to {}: nothing says the region; add `region=…` to the url, or set AWS_REGION",
        config.describe()
    ))
}
