//! How a Kafka transport is set up.

mod native;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::codec::{Codec, NativeJson};
use jitney_core::{Capabilities, Env, Error};

use crate::Kafka;
use crate::client::capabilities;

pub(crate) use native::Role;

/// The set-up of a [`Kafka`]; made by [`Kafka::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) env: Env,
}

/// Everything that is set up but the environment.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) brokers: String,
    pub(crate) client_id: Option<String>,
    pub(crate) instance_id: Option<String>,
    pub(crate) tls: Option<Tls>,
    pub(crate) sasl: Option<Sasl>,
    pub(crate) linger: Duration,
    pub(crate) compression: String,
    pub(crate) publish_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) max_message_bytes: usize,
    pub(crate) create_topics: bool,
    pub(crate) partitions: Option<u32>,
    pub(crate) replication: Option<u16>,
    pub(crate) retention: Option<Duration>,
    pub(crate) commit_interval: Duration,
    pub(crate) revoke_limit: Duration,
    pub(crate) transaction_timeout: Duration,
    pub(crate) codec: Arc<dyn Codec>,
    /// Settings of librdkafka, passed on as they are.
    pub(crate) native: Native,
}

/// Settings by name. Some of them are secrets.
#[derive(Clone, Default)]
pub(crate) struct Native(pub(crate) BTreeMap<String, String>);

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// How connections are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tls {
    /// A PEM file of the authorities that are trusted; the system's where there is none.
    pub ca_file: Option<String>,
    /// A PEM file with the certificate of this client.
    pub certificate_file: Option<String>,
    /// A PEM file with the key of this client.
    pub key_file: Option<String>,
}

/// How this client shows who it is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sasl {
    pub(crate) mechanism: Mechanism,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// A mechanism of SASL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mechanism {
    /// The password as it is: over TLS, or networks that are trusted.
    #[default]
    Plain,
    /// SCRAM with SHA-256 (RFC 7677); needs the feature `tls`.
    ScramSha256,
    /// SCRAM with SHA-512; needs the feature `tls`.
    ScramSha512,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            brokers: String::new(),
            client_id: None,
            instance_id: None,
            tls: None,
            sasl: None,
            linger: Duration::from_millis(5),
            compression: "none".to_owned(),
            publish_timeout: Duration::from_mins(2),
            connect_timeout: Duration::from_secs(10),
            max_message_bytes: 1_000_000,
            create_topics: false,
            partitions: None,
            replication: None,
            retention: None,
            commit_interval: Duration::from_millis(500),
            revoke_limit: Duration::from_secs(5),
            transaction_timeout: Duration::from_secs(15),
            codec: Arc::new(NativeJson),
            native: Native::default(),
        }
    }
}

impl Builder {
    /// The set-up for the cluster that `brokers` lead to: `host:port`, parted by commas.
    pub(crate) fn new(brokers: &str) -> Self {
        Builder { config: Config { brokers: brokers.to_owned(), ..Config::default() }, env: Env::system() }
    }

    /// What the cluster knows this client by (`client.id`): the name of the service unless told otherwise.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.config.client_id = Some(id.into());
        self
    }

    /// Makes this process a static member of its groups (`group.instance.id`, KIP-345): restarted within the session time-out
    /// (45 s), it gets its partitions back without a rebalance. Unique among the processes of a group, the same in each
    /// run. It also names the transactions of [`exactly_once`](jitney_core::handler::HandlerSpec::exactly_once) groups, so
    /// that a restart ends at once what a crash left open.
    pub fn instance_id(mut self, id: impl Into<String>) -> Self {
        self.config.instance_id = Some(id.into());
        self
    }

    /// Encrypts connections; needs the feature `tls`.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.config.tls = Some(tls);
        self
    }

    /// Shows the cluster who this client is.
    pub fn sasl(
        mut self,
        mechanism: Mechanism,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.config.sasl = Some(Sasl { mechanism, user: user.into(), password: password.into() });
        self
    }

    /// How long an event may wait for others to travel with; 5 ms unless told otherwise. It is what publishing a single
    /// event costs at most, and what publishing many at once gains.
    pub fn linger(mut self, limit: Duration) -> Self {
        self.config.linger = limit;
        self
    }

    /// How batches are compressed: `none` (the default), `gzip`, `snappy`, `lz4` or `zstd`, as far as librdkafka was built
    /// with it.
    pub fn compression(mut self, codec: impl Into<String>) -> Self {
        self.config.compression = codec.into();
        self
    }

    /// After how long publishing an event that the cluster has not acked is given up as unknown; 2 minutes unless told
    /// otherwise.
    pub fn publish_timeout(mut self, limit: Duration) -> Self {
        self.config.publish_timeout = limit;
        self
    }

    /// How long connecting, and each question to the cluster, may take; 10 seconds unless told otherwise.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.config.connect_timeout = limit;
        self
    }

    /// The largest message that is published, with key and headers, in bytes; 1,000,000 unless told otherwise. The cluster
    /// (`message.max.bytes`, 1,048,588 by default) and the topic must allow as much.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.config.max_message_bytes = bytes.max(1);
        self
    }

    /// Makes topics that are missing when they are first published to or read; unless told so, that is an error.
    pub fn create_topics(mut self, create: bool) -> Self {
        self.config.create_topics = create;
        self
    }

    /// In how many partitions topics are made that do not say so themselves; the cluster's default unless told otherwise.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.config.partitions = Some(partitions.max(1));
        self
    }

    /// On how many brokers topics are made that do not say so themselves; the cluster's default unless told otherwise.
    pub fn replication(mut self, brokers: u16) -> Self {
        self.config.replication = Some(brokers.max(1));
        self
    }

    /// How long topics are made to keep events that do not say so themselves; the cluster's default unless told otherwise.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.config.retention = Some(retention);
        self
    }

    /// How often settled offsets are committed; every 500 ms unless told otherwise. What was settled since the last commit
    /// comes again after a crash, and only then.
    pub fn commit_interval(mut self, interval: Duration) -> Self {
        self.config.commit_interval = interval;
        self
    }

    /// How long work in flight may still take on a partition that another member gets; 5 seconds unless told otherwise. The
    /// whole group waits for it.
    pub fn revoke_limit(mut self, limit: Duration) -> Self {
        self.config.revoke_limit = limit;
        self
    }

    /// After how long the cluster ends a transaction that a crash left open, and readers go on behind it; 15 seconds unless
    /// told otherwise. No transaction may take longer.
    pub fn transaction_timeout(mut self, limit: Duration) -> Self {
        self.config.transaction_timeout = limit;
        self
    }

    /// Passes a setting on to librdkafka as it is
    /// ([reference](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)). Settings that guarantees of
    /// this transport rest on are refused when it connects.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.native.0.insert(name.into(), value.into());
        self
    }

    /// The wire format; [`NativeJson`] unless told otherwise. [`CloudEvents::kafka`](jitney_core::codec::CloudEvents::kafka)
    /// is CloudEvents in binary mode, and
    /// [`NativeJson::version_is_sequence`] reads topics of services that number the events of an aggregate by `version`.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.config.codec = Arc::new(codec);
        self
    }

    /// Where time and randomness come from; the bus must be given the same.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// What a transport with this set-up can do.
    pub fn capabilities(&self) -> Capabilities {
        capabilities(self.config.max_message_bytes)
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or no broker answers within the connect time-out: the message names the brokers and what
    /// they said.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives the connection up.
    pub async fn connect(self) -> Result<Kafka, Error> {
        Kafka::with(self).await
    }
}
