//! From a URL to a bus: the scheme chooses the backend among those that are compiled in.

use std::env::VarError;

use jitney_core::{Bus, Error};

/// The environment variable that [`Connect::from_env`] reads.
pub const URL_VARIABLE: &str = "JITNEY_URL";

/// The backends that are compiled in: a scheme, and an example of a URL.
const COMPILED: &[(&str, &str)] = &[
    #[cfg(feature = "memory")]
    ("memory", "memory://?semantics=kafka"),
    #[cfg(feature = "kafka")]
    ("kafka", "kafka://localhost:9092"),
    #[cfg(feature = "rabbitmq")]
    ("amqp", "amqp://localhost:5672"),
    #[cfg(feature = "eventbridge")]
    ("eventbridge", "eventbridge://default?region=eu-west-1"),
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
            return Err(Error::config(format!("connecting a bus: the URL has no scheme; {}", compiled())));
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
            _ => {
                Err(Error::config(format!("connecting a bus: no backend for `{scheme}://`; {}", compiled())))
            }
        }
    }

    async fn from_env() -> Result<Self, Error> {
        match (std::env::var(URL_VARIABLE), COMPILED) {
            (Ok(url), _) => Bus::connect(&url).await,
            (Err(VarError::NotUnicode(_)), _) => {
                Err(Error::config(format!("connecting a bus: {URL_VARIABLE} is not UTF-8")))
            }
            (Err(VarError::NotPresent), [("memory", _)]) => Bus::connect("memory://").await,
            (Err(_), _) => {
                Err(Error::config(format!("connecting a bus: {URL_VARIABLE} is not set; {}", compiled())))
            }
        }
    }
}

fn compiled() -> String {
    let list: Vec<_> = COMPILED.iter().map(|(scheme, example)| format!("`{scheme}` ({example})")).collect();
    match &list[..] {
        [] => "none is compiled in: enable a backend's feature of `jitney` in Cargo.toml".to_owned(),
        _ => format!(
            "compiled in: {}; another backend needs its feature of `jitney` in Cargo.toml, where this version has one",
            list.join(", ")
        ),
    }
}
