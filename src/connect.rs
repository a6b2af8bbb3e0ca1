//! From a URL to a bus: the scheme chooses the backend among those that are compiled in.

use std::env::VarError;

use jitney_core::{Bus, Error};

/// The environment variable that [`Connect::from_env`] reads.
pub const URL_VARIABLE: &str = "JITNEY_URL";

/// A backend, whether or not it is compiled in.
struct Backend {
    scheme: &'static str,
    feature: &'static str,
    example: &'static str,
    is_compiled: bool,
}

const BACKENDS: [Backend; 5] = [
    Backend {
        scheme: "memory",
        feature: "memory",
        example: "memory://?semantics=kafka",
        is_compiled: cfg!(feature = "memory"),
    },
    Backend {
        scheme: "kafka",
        feature: "kafka",
        example: "kafka://localhost:9092",
        is_compiled: cfg!(feature = "kafka"),
    },
    Backend {
        scheme: "amqp",
        feature: "rabbitmq",
        example: "amqp://localhost:5672",
        is_compiled: cfg!(feature = "rabbitmq"),
    },
    Backend {
        scheme: "amqps",
        feature: "rabbitmq-tls",
        example: "amqps://localhost:5671",
        is_compiled: cfg!(feature = "rabbitmq-tls"),
    },
    Backend {
        scheme: "eventbridge",
        feature: "eventbridge",
        example: "eventbridge://default?region=eu-west-1",
        is_compiled: cfg!(feature = "eventbridge"),
    },
];

/// Makes a [`Bus`] from a URL.
///
/// ```
/// use jitney::prelude::*;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let bus = Bus::connect("memory://").await?;
/// assert!(Bus::connect("carrier-pigeon://roof").await.is_err());
/// # Ok::<(), jitney::Error>(()) }).unwrap();
/// ```
pub trait Connect: Sized {
    /// The bus that `url` leads to.
    ///
    /// # Errors
    ///
    /// When no backend of the URL's scheme is compiled in, a parameter is unknown or has a bad value, or the broker
    /// does not answer. No credentials are in the message.
    fn connect(url: &str) -> impl Future<Output = Result<Self, Error>> + Send;

    /// The bus that the environment variable `JITNEY_URL` leads to. With nothing but `memory` compiled in, it may be
    /// unset; with a broker compiled in, production does not fall silently onto memory.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and when the variable is missing.
    fn from_env() -> impl Future<Output = Result<Self, Error>> + Send;
}

impl Connect for Bus {
    async fn connect(url: &str) -> Result<Self, Error> {
        let Some((scheme, _)) = url.split_once("://") else {
            let what = format!(
                "connecting a bus: the URL has no scheme, as `kafka://localhost:9092` has one; {}",
                compiled()
            );
            return Err(Error::config(what));
        };
        match scheme {
            #[cfg(feature = "memory")]
            "memory" => Ok(Bus::new(jitney_memory::Memory::from_url(url)?)),
            #[cfg(feature = "kafka")]
            "kafka" => Ok(Bus::new(jitney_kafka::Kafka::from_url(url).await?)),
            #[cfg(feature = "eventbridge")]
            "eventbridge" => Ok(Bus::new(jitney_eventbridge::EventBridge::from_url(url).await?)),
            #[cfg(feature = "rabbitmq")]
            "amqp" | "amqps" => Ok(Bus::new(jitney_rabbitmq::RabbitMq::from_url(url).await?)),
            _ => Err(Error::config(format!("connecting a bus: {}; {}", missing(scheme), compiled()))),
        }
    }

    async fn from_env() -> Result<Self, Error> {
        let wrong = |what: &str| {
            let what = format!(
                "connecting a bus: {URL_VARIABLE} {what}, and no URL like `kafka://localhost:9092`; "
            );
            Error::config(what + &compiled())
        };
        match std::env::var(URL_VARIABLE) {
            Ok(url) if url.is_empty() => Err(wrong("is empty")),
            // What it is may be a secret.
            Ok(url) if !url.contains("://") => Err(wrong("has no scheme")),
            Ok(url) => Bus::connect(&url).await,
            Err(VarError::NotUnicode(_)) => Err(wrong("is not UTF-8")),
            Err(VarError::NotPresent) if only_memory() => Bus::connect("memory://").await,
            Err(VarError::NotPresent) => {
                Err(Error::config(format!("connecting a bus: {URL_VARIABLE} is not set; {}", compiled())))
            }
        }
    }
}

fn only_memory() -> bool {
    BACKENDS.iter().all(|backend| backend.is_compiled == (backend.scheme == "memory"))
}

/// What is missing for `scheme`.
fn missing(scheme: &str) -> String {
    match BACKENDS.iter().find(|backend| backend.scheme == scheme) {
        Some(Backend { feature, .. }) => {
            format!("`{scheme}://` needs the feature `{feature}` of `jitney` in Cargo.toml")
        }
        None => {
            let known: Vec<_> = BACKENDS.iter().map(|backend| format!("`{}`", backend.example)).collect();
            format!("no backend for `{scheme}://`; there are {}", known.join(", "))
        }
    }
}

fn compiled() -> String {
    let compiled = BACKENDS.iter().filter(|backend| backend.is_compiled);
    let list: Vec<_> =
        compiled.map(|backend| format!("`{}` ({})", backend.scheme, backend.example)).collect();
    match &list[..] {
        [] => "none is compiled in: enable a backend's feature of `jitney` in Cargo.toml".to_owned(),
        _ => format!("compiled in: {}", list.join(", ")),
    }
}
