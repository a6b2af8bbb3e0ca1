//! How a RabbitMQ transport is set up.

mod url;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jitney_core::codec::{Codec, NativeJson};
use jitney_core::{Capabilities, Env, Error};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

use crate::RabbitMq;
use crate::client::capabilities;

/// The set-up of a [`RabbitMq`]; made by [`RabbitMq::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) env: Env,
}

/// Everything that is set up but the environment.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) vhost: String,
    pub(crate) credentials: Credentials,
    pub(crate) is_encrypted: bool,
    pub(crate) client_name: Option<String>,
    pub(crate) heartbeat: Duration,
    pub(crate) publish_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) consumer_timeout: Duration,
    pub(crate) revoke_limit: Duration,
    pub(crate) max_message_bytes: usize,
    pub(crate) unroutable: Unroutable,
    pub(crate) order: Order,
    pub(crate) partitions: u32,
    pub(crate) codec: Arc<dyn Codec>,
}

/// As whom this client logs in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What becomes of an event that no queue is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unroutable {
    /// It is acked: a bus may have no listeners, and the broker drops what nobody wants.
    #[default]
    Accept,
    /// It is rejected, so that a binding that is missing shows where the event is published. The client library, lapin, logs
    /// such messages whole, as warnings of the target `lapin`: filter them where events are confidential.
    Reject,
}

/// In which order a group's members get events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Order {
    /// Events of one key come in their order: one member reads at a time, the others stand by and take over when it goes.
    #[default]
    Key,
    /// All members read side by side, and order is not kept.
    None,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            host: String::new(),
            port: 5672,
            vhost: "/".to_owned(),
            credentials: Credentials { user: "guest".to_owned(), password: "guest".to_owned() },
            is_encrypted: false,
            client_name: None,
            heartbeat: Duration::from_secs(10),
            publish_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            consumer_timeout: Duration::from_mins(30),
            revoke_limit: Duration::from_secs(30),
            max_message_bytes: 16 << 20,
            unroutable: Unroutable::default(),
            order: Order::default(),
            partitions: 1,
            codec: Arc::new(NativeJson),
        }
    }
}

impl Config {
    /// Where the server is, without credentials.
    pub(crate) fn describe(&self) -> String {
        let scheme = if self.is_encrypted { "amqps" } else { "amqp" };
        let Config { host, port, vhost, .. } = self;
        match vhost.as_str() {
            "/" => format!("{scheme}://{host}:{port}"),
            vhost => format!("{scheme}://{host}:{port}/{vhost}"),
        }
    }

    /// The same as lapin wants it. Holds the password: not to be shown.
    pub(crate) fn uri(&self) -> AMQPUri {
        let seconds = self.heartbeat.as_secs().clamp(1, u16::MAX.into());
        AMQPUri {
            scheme: if self.is_encrypted { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.credentials.user.clone(),
                    password: self.credentials.password.clone(),
                },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString { heartbeat: u16::try_from(seconds).ok(), ..AMQPQueryString::default() },
        }
    }
}

impl Builder {
    /// The set-up for the server at `host`, on the usual port.
    pub(crate) fn new(host: &str) -> Self {
        Builder { config: Config { host: host.to_owned(), ..Config::default() }, env: Env::system() }
    }

    /// The port; 5672 unless told otherwise, 5671 with TLS.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// The virtual host; `/` unless told otherwise.
    pub fn vhost(mut self, name: impl Into<String>) -> Self {
        self.config.vhost = name.into();
        self
    }

    /// As whom this client logs in; `guest` unless told otherwise, whom servers let in from their own machine only.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.config.credentials = Credentials { user: user.into(), password: password.into() };
        self
    }

    /// What the server's lists call the connections; `jitney` unless told otherwise.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.config.client_name = Some(name.into());
        self
    }

    /// How often each side shows that it is there, in whole seconds; 10 seconds unless told otherwise. A connection that is
    /// silent for twice as long is given up.
    pub fn heartbeat(mut self, interval: Duration) -> Self {
        self.config.heartbeat = interval;
        self
    }

    /// After how long publishing an event that the server has not confirmed is given up as unknown; 30 seconds unless told
    /// otherwise. While the server takes nothing (a memory or disk alarm, a restart), publishing waits as long.
    pub fn publish_timeout(mut self, limit: Duration) -> Self {
        self.config.publish_timeout = limit;
        self
    }

    /// How long connecting, and each question to the server, may take; 10 seconds unless told otherwise.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.config.connect_timeout = limit;
        self
    }

    /// After how long the server closes the channel of a member that has not settled a delivery (`consumer_timeout`, 30
    /// minutes by default); set it as the server has it. At four fifths of it the member hands everything back and begins
    /// anew.
    pub fn consumer_timeout(mut self, limit: Duration) -> Self {
        self.config.consumer_timeout = limit;
        self
    }

    /// How long work in flight may still take when a member hands everything back because of
    /// [`consumer_timeout`](Self::consumer_timeout); 30 seconds unless told otherwise.
    pub fn revoke_limit(mut self, limit: Duration) -> Self {
        self.config.revoke_limit = limit;
        self
    }

    /// The largest message that is published, with key and headers, in bytes; 16 MiB unless told otherwise. The server
    /// (`max_message_size`) must allow as much. Headers and key together have an AMQP frame (128 KiB by default) to fit in.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.config.max_message_bytes = bytes.max(1);
        self
    }

    /// What becomes of an event that no queue is bound to; it is [accepted](Unroutable::Accept) unless told otherwise.
    pub fn unroutable(mut self, unroutable: Unroutable) -> Self {
        self.config.unroutable = unroutable;
        self
    }

    /// In which order members of groups get events; [by key](Order::Key) unless told otherwise. It is a property of the
    /// group's queue: a group that exists keeps the one that it was made with.
    pub fn order(mut self, order: Order) -> Self {
        self.config.order = order;
        self
    }

    /// Into how many queues each group parts its events, by key; 1 unless told otherwise. Each is read by one member at a time,
    /// so that as many members work side by side and order per key holds; members see to it that none reads more than its
    /// share. Needs [`Order::Key`] and the server's plugin `rabbitmq_consistent_hash_exchange`. It is a property of the group's
    /// queues: a group that exists keeps the number that it was made with.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.config.partitions = partitions.max(1);
        self
    }

    /// The wire format; [`NativeJson`] unless told otherwise. [`CloudEvents::amqp`](jitney_core::codec::CloudEvents::amqp) is
    /// CloudEvents in binary mode, and [`NativeJson::version_is_sequence`] reads topics of services that number the events of
    /// an aggregate by `version`.
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
        capabilities(&self.config)
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// When the server does not let this client in, or does not answer within the connect time-out: the message names it and
    /// what went wrong last.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives the connection up.
    pub async fn connect(self) -> Result<RabbitMq, Error> {
        RabbitMq::with(self).await
    }
}
