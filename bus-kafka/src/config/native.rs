//! From the set-up to the settings of librdkafka.

use std::fs::File;
use std::time::Duration;

use jitney_core::Error;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::{Config, Mechanism, Tls};

/// What a client is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Asks about topics, groups and positions, and changes them.
    Admin,
    /// Looks at a group's positions without being a member.
    Observer { group: String },
    /// Publishes.
    Producer,
    /// Publishes what groups put aside.
    AsideProducer,
    /// Publishes in transactions under this name.
    TransactionalProducer { id: String },
    /// Is a member of a group.
    Member { group: String, instance: Option<String> },
}

/// Settings that are this transport's own, and why.
const OWN: &[(&str, &str)] = &[
    ("bootstrap.servers", "brokers are named in the URL"),
    ("metadata.broker.list", "brokers are named in the URL"),
    ("client.id", "use `client_id`"),
    ("group.id", "groups are named by handlers"),
    ("group.instance.id", "use `instance_id`"),
    ("security.protocol", "use `tls`, and a user in the URL"),
    ("sasl.mechanism", "use `sasl`"),
    ("sasl.mechanisms", "use `sasl`"),
    ("sasl.username", "put the user before the brokers: kafka://user:password@host:port"),
    ("sasl.password", "put the password before the brokers: kafka://user:password@host:port"),
    ("enable.idempotence", "without it a retry could store an event twice, or out of order"),
    ("acks", "what is acked must be stored on all replicas in sync"),
    ("request.required.acks", "what is acked must be stored on all replicas in sync"),
    ("max.in.flight.requests.per.connection", "more would lose the order of events when one is sent again"),
    ("max.in.flight", "more would lose the order of events when one is sent again"),
    ("enable.gapless.guarantee", "each event has an outcome of its own"),
    ("enable.partition.eof", "the end of a partition is no event"),
    ("isolation.level", "what was aborted must not be handled"),
    ("partition.assignment.strategy", "partitions are given away one by one"),
    ("allow.auto.create.topics", "use `create_topics`"),
    ("partitioner", "services in other languages must put a key on the same partition"),
    ("transactional.id", "transactions are named by groups; use `instance_id`"),
    ("enable.auto.commit", "offsets are committed when events are settled"),
    ("enable.auto.offset.store", "offsets are committed when events are settled"),
    ("auto.commit.interval.ms", "use `commit_interval`"),
    ("auto.offset.reset", "use `App::start_at`"),
    ("message.timeout.ms", "use `publish_timeout`"),
    ("delivery.timeout.ms", "use `publish_timeout`"),
    ("linger.ms", "use `linger`"),
    ("queue.buffering.max.ms", "use `linger`"),
    ("transaction.timeout.ms", "use `transaction_timeout`"),
    ("message.max.bytes", "use `max_message_bytes`"),
];

/// No message of a client of ours is refused by the client itself: the transport has a bound of its own, and dead letters
/// must fit whatever their size.
const NO_BOUND: &str = "1000000000";

impl Config {
    /// Checks what librdkafka would only say when it is used, or not at all.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](jitney_core::ErrorKind::Config), naming the setting.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for name in self.native.0.keys() {
            if let Some((_, why)) = OWN.iter().find(|(own, _)| own == name) {
                return Err(Error::config(format!(
                    "setting up {}: `{name}` cannot be passed on: {why}",
                    self.describe()
                )));
            }
        }
        if self.sasl.as_ref().is_some_and(|sasl| sasl.user.is_empty() || sasl.password.is_empty()) {
            return Err(Error::config(format!(
                "setting up {}: there is no user or no password before the brokers; write kafka://user:password@host:port, \
                 percent-encoded",
                self.describe()
            )));
        }
        for (name, limit, least) in [
            ("publish_timeout", self.publish_timeout, 1),
            ("connect_timeout", self.connect_timeout, 1),
            ("commit_interval", self.commit_interval, 1),
            ("transaction_timeout", self.transaction_timeout, 1_000),
        ] {
            if limit < Duration::from_millis(least) {
                return Err(Error::config(format!(
                    "setting up {}: `{name}` is {limit:?}, and must be at least {least} ms",
                    self.describe()
                )));
            }
        }
        let needs_tls = match &self.sasl {
            Some(sasl) if sasl.mechanism != Mechanism::Plain => Some("SASL/SCRAM"),
            _ => self.tls.as_ref().map(|_| "TLS"),
        };
        if let (Some(what), false) = (needs_tls, cfg!(feature = "tls")) {
            return Err(Error::config(format!(
                "setting up {}: {what} is not compiled in: enable the feature `kafka-tls` of `jitney` (`tls` of `jitney-kafka`)",
                self.describe()
            )));
        }
        for (parameter, _, file) in self.tls.iter().flat_map(Tls::files) {
            // The client would only say that the system failed.
            File::open(file).map_err(|source| {
                let what =
                    format!("setting up {}: reading `{file}` for `{parameter}` failed", self.describe());
                Error::config(what).with_source(source)
            })?;
        }
        Ok(())
    }

    /// The URL of the cluster, without credentials.
    pub(crate) fn describe(&self) -> String {
        format!("kafka://{}", self.brokers)
    }

    /// The settings of a client for `role` on behalf of `service`.
    pub(crate) fn native(&self, role: &Role, service: &str) -> ClientConfig {
        let mut native = ClientConfig::new();
        // What is not wanted of it is left out by the application's own subscriber.
        native.set_log_level(RDKafkaLogLevel::Info);
        native.set("bootstrap.servers", &self.brokers);
        native.set("client.id", self.client_id.as_deref().unwrap_or(service));
        // A broker that is back is found within a second, not within ten.
        native.set("reconnect.backoff.max.ms", "1000");
        self.set_security(&mut native);
        match role {
            Role::Admin => {}
            Role::Observer { group } => {
                native.set("group.id", group).set("enable.auto.commit", "false");
            }
            Role::Producer => self.set_producer(&mut native),
            Role::AsideProducer => {
                self.set_producer(&mut native);
                if self.compression == "none" {
                    // What came in a compressed batch may be far larger than the topics allow.
                    native.set("compression.type", "gzip");
                }
            }
            Role::TransactionalProducer { id } => {
                self.set_producer(&mut native);
                native.set("transactional.id", id);
                native.set("transaction.timeout.ms", millis(self.transaction_timeout));
                native.set("message.timeout.ms", millis(self.transaction_timeout));
                // Most of the time of a small transaction is this pause: offsets can be added when the coordinator knows
                // the transaction, and it says "not yet" for some milliseconds.
                native.set("retry.backoff.ms", "10");
            }
            Role::Member { group, instance } => self.set_member(&mut native, group, instance.as_deref()),
        }
        for (name, value) in self.native.0.iter().filter(|(name, _)| role.knows(name)) {
            native.set(name, value);
        }
        native
    }

    fn set_producer(&self, native: &mut ClientConfig) {
        native.set("enable.idempotence", "true").set("acks", "all");
        native.set("max.in.flight.requests.per.connection", "5");
        native.set("partitioner", "murmur2_random");
        native.set("retries", "8").set("retry.backoff.ms", "100").set("retry.backoff.max.ms", "30000");
        native.set("linger.ms", millis(self.linger));
        native.set("compression.type", &self.compression);
        native.set("message.timeout.ms", millis(self.publish_timeout));
        native.set("message.max.bytes", NO_BOUND);
        // What waits to be sent is bounded by this; publishing waits while it is full.
        native.set("queue.buffering.max.kbytes", "65536");
    }

    fn set_member(&self, native: &mut ClientConfig, group: &str, instance: Option<&str>) {
        native.set("group.id", group);
        if let Some(id) = instance {
            native.set("group.instance.id", id);
        }
        native.set("partition.assignment.strategy", "cooperative-sticky");
        native.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        native.set("auto.offset.reset", "earliest");
        native.set("isolation.level", "read_committed");
        native.set("check.crcs", "true");
        // One second, by default, after a queue was full: what a slow reader costs a fast one.
        native.set("fetch.queue.backoff.ms", "5");
        native.set("queued.max.messages.kbytes", "16384");
    }

    fn set_security(&self, native: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        native.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            for (_, name, file) in tls.files() {
                native.set(name, file);
            }
        }
        if let Some(sasl) = &self.sasl {
            let mechanism = match sasl.mechanism {
                Mechanism::Plain => "PLAIN",
                Mechanism::ScramSha256 => "SCRAM-SHA-256",
                Mechanism::ScramSha512 => "SCRAM-SHA-512",
            };
            native.set("sasl.mechanism", mechanism);
            native.set("sasl.username", &sasl.user).set("sasl.password", &sasl.password);
        }
    }
}

impl Tls {
    /// The files that are named: our name, the client's, and the file's.
    fn files(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let files = [
            ("ca_file", "ssl.ca.location", &self.ca_file),
            ("certificate_file", "ssl.certificate.location", &self.certificate_file),
            ("key_file", "ssl.key.location", &self.key_file),
        ];
        files.into_iter().filter_map(|(ours, theirs, file)| Some((ours, theirs, file.as_deref()?)))
    }
}

/// Settings that only members of a group know; librdkafka warns where others are given them.
const OF_MEMBERS: &[&str] = &[
    "queued.",
    "fetch.",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "group.protocol",
    "group.remote.assignor",
    "check.crcs",
];

/// Settings that only producers know.
const OF_PRODUCERS: &[&str] = &[
    "queue.buffering.",
    "batch.",
    "compression.level",
    "retries",
    "message.send.max.retries",
    "retry.backoff",
    "sticky.partitioning.linger.ms",
];

impl Role {
    fn knows(&self, setting: &str) -> bool {
        let is_of = |names: &[&str]| names.iter().any(|name| setting.starts_with(name));
        match self {
            Role::Admin | Role::Observer { .. } => !is_of(OF_MEMBERS) && !is_of(OF_PRODUCERS),
            Role::Producer | Role::AsideProducer | Role::TransactionalProducer { .. } => !is_of(OF_MEMBERS),
            Role::Member { .. } => !is_of(OF_PRODUCERS),
        }
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Builder;

    #[test]
    fn settings_that_guarantees_rest_on_are_refused_with_the_reason() {
        for (name, why) in OWN.iter().filter(|(name, _)| name.contains('.')) {
            let builder = Builder::from_url(&format!("kafka://a:1/?{name}=0")).unwrap();
            let error = builder.config.check().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_setting_reaches_the_clients_that_know_it() {
        let url = "kafka://a:1/?queued.min.messages=10&batch.size=20&socket.timeout.ms=30";
        let config = Builder::from_url(url).unwrap().config;
        let member = config.native(&Role::Member { group: "g".to_owned(), instance: None }, "orders");
        let producer = config.native(&Role::Producer, "orders");
        assert_eq!((member.get("queued.min.messages"), member.get("batch.size")), (Some("10"), None));
        assert_eq!((producer.get("queued.min.messages"), producer.get("batch.size")), (None, Some("20")));
        assert_eq!(
            (member.get("socket.timeout.ms"), producer.get("client.id")),
            (Some("30"), Some("orders"))
        );
    }

    #[test]
    fn own_settings_are_refused_however_they_are_given() {
        for (name, why) in OWN {
            let error = Builder::new("a:1").set(*name, "0").config.check().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn credentials_and_files_reach_every_client() {
        let url =
            "kafka://us%40er:pa%3Ass@a:1/?sasl=scram-sha-512&ca_file=/ca&certificate_file=/c&key_file=/k";
        let config = Builder::from_url(url).unwrap().config;
        let roles = [
            Role::Admin,
            Role::Observer { group: "g".to_owned() },
            Role::Producer,
            Role::AsideProducer,
            Role::TransactionalProducer { id: "t".to_owned() },
            Role::Member { group: "g".to_owned(), instance: Some("i".to_owned()) },
        ];
        for role in roles {
            let native = config.native(&role, "orders");
            for (name, value) in [
                ("security.protocol", "sasl_ssl"),
                ("sasl.mechanism", "SCRAM-SHA-512"),
                ("sasl.username", "us@er"),
                ("sasl.password", "pa:ss"),
                ("ssl.ca.location", "/ca"),
                ("ssl.certificate.location", "/c"),
                ("ssl.key.location", "/k"),
            ] {
                assert_eq!(native.get(name), Some(value), "{role:?}");
            }
        }
    }

    #[test]
    fn the_protocol_follows_from_what_is_given() {
        for (url, protocol) in [
            ("kafka://a:1", "plaintext"),
            ("kafka://a:1/?tls=true", "ssl"),
            ("kafka://a:1/?tls=false", "plaintext"),
            ("kafka://u:p@a:1", "sasl_plaintext"),
            ("kafka://u:p@a:1/?tls=true", "sasl_ssl"),
        ] {
            let native = Builder::from_url(url).unwrap().config.native(&Role::Admin, "orders");
            assert_eq!(native.get("security.protocol"), Some(protocol), "{url}");
        }
    }

    #[test]
    fn what_is_put_aside_is_compressed_and_transactions_have_their_name() {
        let config = Builder::from_url("kafka://a:1/?transaction_timeout=7s").unwrap().config;
        let compression = |role| config.native(&role, "orders").get("compression.type").map(str::to_owned);
        assert_eq!(compression(Role::Producer).as_deref(), Some("none"));
        assert_eq!(compression(Role::AsideProducer).as_deref(), Some("gzip"));
        let chosen = Builder::from_url("kafka://a:1/?compression=lz4").unwrap().config;
        let aside = chosen.native(&Role::AsideProducer, "orders");
        assert_eq!(aside.get("compression.type"), Some("lz4"));
        let native = config.native(&Role::TransactionalProducer { id: "t".to_owned() }, "orders");
        assert_eq!(native.get("transactional.id"), Some("t"));
        assert_eq!(native.get("transaction.timeout.ms"), Some("7000"));
    }

    #[test]
    #[cfg(feature = "tls")]
    fn a_file_that_cannot_be_read_is_named_with_its_parameter() {
        let config = Builder::from_url("kafka://a:1/?key_file=/nowhere/key.pem").unwrap().config;
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("`/nowhere/key.pem`") && error.contains("`key_file`"), "{error}");
    }
}
