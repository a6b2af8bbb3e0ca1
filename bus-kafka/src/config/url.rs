//! The set-up as a URL: `kafka://user:password@host:9092,host:9092/?sasl=scram-sha-512&tls=true`.

use std::sync::Arc;

use jitney_core::Error;
use jitney_core::codec::{CloudEvents, Codec, NativeJson};
use jitney_core::url::{
    BOOLEAN, COUNT, DURATION, NAME, Parameter, duration, name, percent_decoded, positive, read_query_with,
    set,
};

use super::{Builder, Config, Mechanism, Sasl};

const FILE: &str = "the path of a PEM file";

const PARAMETERS: &[Parameter<Config>] = &[
    Parameter { name: "client_id", allowed: NAME, read: |c, v| set(&mut c.client_id, name(v).map(Some)) },
    Parameter { name: "instance_id", allowed: NAME, read: |c, v| set(&mut c.instance_id, name(v).map(Some)) },
    Parameter { name: "tls", allowed: BOOLEAN, read: |c, v| v.parse().ok().map(|on| c.set_tls(on)) },
    Parameter {
        name: "ca_file",
        allowed: FILE,
        read: |c, v| set(&mut c.tls.get_or_insert_default().ca_file, name(v).map(Some)),
    },
    Parameter {
        name: "certificate_file",
        allowed: FILE,
        read: |c, v| set(&mut c.tls.get_or_insert_default().certificate_file, name(v).map(Some)),
    },
    Parameter {
        name: "key_file",
        allowed: FILE,
        read: |c, v| set(&mut c.tls.get_or_insert_default().key_file, name(v).map(Some)),
    },
    Parameter {
        name: "sasl",
        allowed: "plain, scram-sha-256 or scram-sha-512",
        read: |c, v| set(&mut c.sasl.as_mut()?.mechanism, Mechanism::parse(v)),
    },
    Parameter {
        name: "wire",
        allowed: "native, native-sequence or cloudevents",
        read: |c, v| set(&mut c.codec, wire(v)),
    },
    Parameter { name: "linger", allowed: DURATION, read: |c, v| set(&mut c.linger, duration(v)) },
    Parameter {
        name: "compression",
        allowed: "none, gzip, snappy, lz4 or zstd",
        read: |c, v| set(&mut c.compression, compression(v)),
    },
    Parameter {
        name: "publish_timeout",
        allowed: DURATION,
        read: |c, v| set(&mut c.publish_timeout, duration(v)),
    },
    Parameter {
        name: "connect_timeout",
        allowed: DURATION,
        read: |c, v| set(&mut c.connect_timeout, duration(v)),
    },
    Parameter {
        name: "max_message_bytes",
        allowed: COUNT,
        read: |c, v| set(&mut c.max_message_bytes, positive(v)),
    },
    Parameter {
        name: "create_topics",
        allowed: BOOLEAN,
        read: |c, v| set(&mut c.create_topics, v.parse().ok()),
    },
    Parameter {
        name: "partitions",
        allowed: COUNT,
        read: |c, v| set(&mut c.partitions, positive(v).map(Some)),
    },
    Parameter {
        name: "replication",
        allowed: COUNT,
        read: |c, v| set(&mut c.replication, positive(v).map(Some)),
    },
    Parameter {
        name: "retention",
        allowed: DURATION,
        read: |c, v| set(&mut c.retention, duration(v).map(Some)),
    },
    Parameter {
        name: "commit_interval",
        allowed: DURATION,
        read: |c, v| set(&mut c.commit_interval, duration(v)),
    },
    Parameter { name: "revoke_limit", allowed: DURATION, read: |c, v| set(&mut c.revoke_limit, duration(v)) },
    Parameter {
        name: "transaction_timeout",
        allowed: DURATION,
        read: |c, v| set(&mut c.transaction_timeout, duration(v)),
    },
];

impl Builder {
    /// The set-up that `url` describes; [`Kafka::from_url`](crate::Kafka::from_url) lists the parameters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](jitney_core::ErrorKind::Config) for another scheme, no or a bad broker, a path, and a parameter
    /// that is unknown, comes twice or has a value that it may not have. No password is in the message.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let Some(rest) = url.strip_prefix("kafka://") else {
            let scheme = url.split(':').next().unwrap_or_default();
            return Err(bad(&format!("its scheme is `{scheme}`, use kafka://host:port")));
        };
        if let Some((credentials, _)) = rest.rsplit_once('@')
            && credentials.contains(['/', '?', '#'])
        {
            return Err(bad(
                "user and password must be percent-encoded: `%2F` for `/`, `%3F` for `?`, `%40` for `@`",
            ));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        if !path.is_empty() {
            return Err(bad(&format!(
                "it has the path `{path}`, and topics are named by events: leave it out: kafka://host:port/?name=value"
            )));
        }
        let (credentials, brokers) = match authority.rsplit_once('@') {
            Some((credentials, brokers)) => (Some(credentials), brokers),
            None => (None, authority),
        };
        let mut builder = Builder::new(&brokers_of(brokers)?);
        builder.config.sasl = credentials.map(sasl).transpose()?;
        read_query_with("kafka", query, PARAMETERS, &mut builder.config, |config, name, value| {
            if name == "sasl" && config.sasl.is_none() {
                return Err(bad(
                    "`sasl` needs a user and a password: kafka://user:password@host:port/?sasl=…",
                ));
            }
            let is_native = name.contains('.');
            if is_native {
                config.native.0.insert(name.to_owned(), percent_decoded("kafka", value)?);
            }
            Ok(is_native)
        })?;
        Ok(builder)
    }
}

impl Config {
    fn set_tls(&mut self, on: bool) {
        if on {
            self.tls.get_or_insert_default();
        } else {
            self.tls = None;
        }
    }
}

impl Mechanism {
    fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "plain" => Some(Mechanism::Plain),
            "scram-sha-256" => Some(Mechanism::ScramSha256),
            "scram-sha-512" => Some(Mechanism::ScramSha512),
            _ => None,
        }
    }
}

fn bad(what: &str) -> Error {
    Error::config(format!("reading the kafka:// url: {what}"))
}

/// The brokers, each with a port.
fn brokers_of(list: &str) -> Result<String, Error> {
    let mut brokers = Vec::new();
    for broker in list.split(',') {
        let (host, port) = match broker.rsplit_once(':') {
            // A colon inside of brackets belongs to an address of IPv6.
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (broker, "9092"),
        };
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(bad(&format!("`{broker}` is no broker; write host:port, parted by commas")));
        }
        brokers.push(format!("{host}:{port}"));
    }
    Ok(brokers.join(","))
}

fn sasl(credentials: &str) -> Result<Sasl, Error> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    Ok(Sasl {
        mechanism: Mechanism::Plain,
        user: percent_decoded("kafka", user)?,
        password: percent_decoded("kafka", password)?,
    })
}

fn wire(value: &str) -> Option<Arc<dyn Codec>> {
    match value {
        "native" => Some(Arc::new(NativeJson)),
        "native-sequence" => Some(Arc::new(NativeJson::version_is_sequence())),
        "cloudevents" => Some(Arc::new(CloudEvents::kafka())),
        _ => None,
    }
}

fn compression(value: &str) -> Option<String> {
    matches!(value, "none" | "gzip" | "snappy" | "lz4" | "zstd").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Tls;

    fn config(url: &str) -> Config {
        Builder::from_url(url).expect(url).config
    }

    fn error(url: &str) -> String {
        Builder::from_url(url).expect_err(url).to_string()
    }

    #[test]
    fn every_parameter_is_read() {
        let url = "kafka://us%40er:pa%3Ass@a:1,b/?client_id=orders&instance_id=orders-1&tls=true&ca_file=/ca.pem\
                   &certificate_file=/c.pem&key_file=/k.pem&sasl=SCRAM-SHA-512&linger=1ms&compression=lz4\
                   &publish_timeout=9s&connect_timeout=8s&max_message_bytes=7&create_topics=true&partitions=6\
                   &wire=cloudevents&replication=5&retention=4d&commit_interval=3s&revoke_limit=2s&transaction_timeout=1m";
        assert_eq!(url.matches('=').count(), PARAMETERS.len(), "a parameter without a test");
        let config = config(&format!("{url}&queued.min.messages=10"));
        assert_eq!(config.brokers, "a:1,b:9092");
        assert_eq!(config.client_id.as_deref(), Some("orders"));
        assert_eq!(config.instance_id.as_deref(), Some("orders-1"));
        let files = ["/ca.pem", "/c.pem", "/k.pem"].map(|file| Some(file.to_owned()));
        let [ca_file, certificate_file, key_file] = files;
        assert_eq!(config.tls, Some(Tls { ca_file, certificate_file, key_file }));
        let sasl = config.sasl.unwrap();
        assert_eq!((sasl.user.as_str(), sasl.password.as_str()), ("us@er", "pa:ss"));
        assert_eq!(sasl.mechanism, Mechanism::ScramSha512);
        assert_eq!((config.linger, config.compression.as_str()), (Duration::from_millis(1), "lz4"));
        let limits = [config.publish_timeout, config.connect_timeout, config.commit_interval];
        assert_eq!(limits, [9, 8, 3].map(Duration::from_secs));
        assert_eq!((config.max_message_bytes, config.create_topics), (7, true));
        assert_eq!((config.partitions, config.replication), (Some(6), Some(5)));
        assert_eq!(config.retention, Some(Duration::from_hours(96)));
        assert_eq!(config.revoke_limit, Duration::from_secs(2));
        assert_eq!(config.transaction_timeout, Duration::from_mins(1));
        assert!(format!("{:?}", config.codec).contains("CloudEvents"));
        assert_eq!(config.native.0["queued.min.messages"], "10");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_right() {
        for (url, says) in [
            ("nats://a:1", "its scheme is `nats`, use kafka://host:port"),
            ("kafka://", "`` is no broker; write host:port"),
            ("kafka://a:port", "`a:port` is no broker"),
            ("kafka://a:1,,b:2", "`` is no broker"),
            ("kafka://a:1/orders", "it has the path `orders`"),
            ("kafka://a:1/?sasl=plain", "`sasl` needs a user and a password"),
            ("kafka://u:p@a:1/?sasl=kerberos", "must be plain, scram-sha-256 or scram-sha-512"),
            ("kafka://a:1/?linger=5", "`linger` is `5`, but must be a duration"),
            ("kafka://a:1/?tls=true&tls=true", "`tls` comes twice"),
            ("kafka://a:1/?acks=all", "no parameter `acks`; there are client_id"),
            ("kafka://a%:1@b:2", "two hexadecimal digits"),
        ] {
            let error = error(url);
            assert!(error.contains(says), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_in_no_output() {
        let builder = Builder::from_url("kafka://me:s3cret@a:1/?sasl=plain").unwrap();
        assert!(!format!("{builder:?}").contains("s3cret"));
        assert!(!error("kafka://me:s3cret@a:1/?sasl=plain&no=1").contains("s3cret"));
        assert!(!error("kafka://me:s3cret@/").contains("s3cret"));
        for url in ["kafka://me:s3/cret@a:1", "kafka://me:s3?cret@a:1", "kafka://me:s3#cret@a:1/?tls=true"] {
            let error = error(url);
            assert!(error.contains("percent-encoded") && !error.contains("cret@"), "{url}: {error}");
        }
        let builder = Builder::from_url("kafka://a:1/?ssl.key.password=s3cret").unwrap();
        assert!(!format!("{builder:?}").contains("s3cret"));
    }
}
