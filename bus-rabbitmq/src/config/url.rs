//! The set-up as a URL: `amqp://user:password@host:5672/vhost?publish_timeout=10s&order=none`.

use std::sync::Arc;

use jitney_core::Error;
use jitney_core::codec::{CloudEvents, Codec, NativeJson};
use jitney_core::url::{
    COUNT, DURATION, NAME, Parameter, duration, name, percent_decoded, positive, read_query, set,
};

use super::{Builder, Config, Credentials, Order, Unroutable};

const PARAMETERS: &[Parameter<Config>] = &[
    Parameter { name: "client_name", allowed: NAME, read: |c, v| set(&mut c.client_name, name(v).map(Some)) },
    Parameter {
        name: "wire",
        allowed: "native, native-sequence or cloudevents",
        read: |c, v| set(&mut c.codec, wire(v)),
    },
    Parameter { name: "partitions", allowed: COUNT, read: |c, v| set(&mut c.partitions, positive(v)) },
    Parameter { name: "order", allowed: "key or none", read: |c, v| set(&mut c.order, order(v)) },
    Parameter {
        name: "unroutable",
        allowed: "accept or reject",
        read: |c, v| set(&mut c.unroutable, unroutable(v)),
    },
    Parameter { name: "heartbeat", allowed: DURATION, read: |c, v| set(&mut c.heartbeat, duration(v)) },
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
        name: "consumer_timeout",
        allowed: DURATION,
        read: |c, v| set(&mut c.consumer_timeout, duration(v)),
    },
    Parameter { name: "revoke_limit", allowed: DURATION, read: |c, v| set(&mut c.revoke_limit, duration(v)) },
    Parameter {
        name: "max_message_bytes",
        allowed: COUNT,
        read: |c, v| set(&mut c.max_message_bytes, positive(v)),
    },
];

impl Builder {
    /// The set-up that `url` describes; [`RabbitMq::from_url`](crate::RabbitMq::from_url) lists the parameters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](jitney_core::ErrorKind::Config) for another scheme, no or a bad host, `amqps://` without the
    /// feature `tls`, and a parameter that is unknown, comes twice or has a value that it may not have. No password is in the
    /// message.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").unwrap_or((url.split(':').next().unwrap_or_default(), ""));
        let is_encrypted = match scheme {
            "amqp" => false,
            "amqps" if cfg!(feature = "tls") => true,
            "amqps" => {
                return Err(bad(
                    "`amqps://` needs TLS, which this build has not: turn on the feature `rabbitmq-tls` of `jitney` (`tls` of \
                     `jitney-rabbitmq`)",
                ));
            }
            other => {
                return Err(bad(&format!(
                    "its scheme is `{other}`, use amqp://host:port or amqps://host:port"
                )));
            }
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
        if path.contains('/') {
            return Err(bad("a `/` in the name of the virtual host must be written as `%2F`"));
        }
        let (credentials, server) = match authority.rsplit_once('@') {
            Some((credentials, server)) => (Some(credentials), server),
            None => (None, authority),
        };
        let (host, port) = host_and_port(server, if is_encrypted { 5671 } else { 5672 })?;
        let mut builder = Builder::new(host);
        let config = &mut builder.config;
        (config.port, config.is_encrypted) = (port, is_encrypted);
        if !path.is_empty() {
            config.vhost = percent_decoded("amqp", path)?;
        }
        if let Some(credentials) = credentials {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            config.credentials = Credentials {
                user: percent_decoded("amqp", user)?,
                password: percent_decoded("amqp", password)?,
            };
        }
        read_query(scheme, query, PARAMETERS, config)?;
        Ok(builder)
    }
}

fn bad(what: &str) -> Error {
    Error::config(format!("reading the amqp:// url: {what}"))
}

fn host_and_port(server: &str, usual: u16) -> Result<(&str, u16), Error> {
    let bad = || bad(&format!("`{server}` is no server; write host or host:port"));
    let (host, port) = match server.rsplit_once(':') {
        // A colon inside of brackets belongs to an address of IPv6.
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| bad())?),
        _ => (server, usual),
    };
    if host.is_empty() || host.contains(',') { Err(bad()) } else { Ok((host, port)) }
}

fn wire(value: &str) -> Option<Arc<dyn Codec>> {
    match value {
        "native" => Some(Arc::new(NativeJson)),
        "native-sequence" => Some(Arc::new(NativeJson::version_is_sequence())),
        "cloudevents" => Some(Arc::new(CloudEvents::amqp())),
        _ => None,
    }
}

fn order(value: &str) -> Option<Order> {
    match value {
        "key" => Some(Order::Key),
        "none" => Some(Order::None),
        _ => None,
    }
}

fn unroutable(value: &str) -> Option<Unroutable> {
    match value {
        "accept" => Some(Unroutable::Accept),
        "reject" => Some(Unroutable::Reject),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config(url: &str) -> Config {
        Builder::from_url(url).expect(url).config
    }

    fn error(url: &str) -> String {
        Builder::from_url(url).expect_err(url).to_string()
    }

    #[test]
    fn every_parameter_is_read() {
        let url = "amqp://us%40er:pa%3Ass@a:1/shop%2Feu?client_name=orders&wire=cloudevents&order=none&unroutable=reject\
                   &heartbeat=5s&publish_timeout=9s&connect_timeout=8s&consumer_timeout=7m&revoke_limit=6s\
                   &max_message_bytes=77&partitions=4";
        assert_eq!(url.matches('=').count(), PARAMETERS.len(), "a parameter without a test");
        let config = config(url);
        assert_eq!((config.host.as_str(), config.port, config.vhost.as_str()), ("a", 1, "shop/eu"));
        let Credentials { user, password } = &config.credentials;
        assert_eq!((user.as_str(), password.as_str()), ("us@er", "pa:ss"));
        assert_eq!(config.client_name.as_deref(), Some("orders"));
        assert!(format!("{:?}", config.codec).contains("Amqp"));
        assert_eq!((config.order, config.unroutable), (Order::None, Unroutable::Reject));
        let limits = [config.heartbeat, config.publish_timeout, config.connect_timeout, config.revoke_limit];
        assert_eq!(limits, [5, 9, 8, 6].map(Duration::from_secs));
        assert_eq!(config.consumer_timeout, Duration::from_mins(7));
        assert_eq!((config.max_message_bytes, config.partitions), (77, 4));
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        for (url, describe) in [
            ("amqp://a", "amqp://a:5672"),
            ("amqp://a/", "amqp://a:5672"),
            ("amqp://a:7/%2F", "amqp://a:7"),
            ("amqp://[::1]", "amqp://[::1]:5672"),
            ("amqp://u:p@a/shop?order=key", "amqp://a:5672/shop"),
        ] {
            assert_eq!(config(url).describe(), describe, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_right() {
        for (url, says) in [
            ("nats://a:1", "its scheme is `nats`, use amqp://host:port"),
            ("amqp://", "`` is no server; write host or host:port"),
            ("amqp://a:port", "`a:port` is no server"),
            ("amqp://a,b", "`a,b` is no server"),
            ("amqp://a/b/c", "must be written as `%2F`"),
            ("amqp://a/?heartbeat=5", "`heartbeat` is `5`, but must be a duration"),
            ("amqp://a/?order=key&order=key", "`order` comes twice"),
            ("amqp://a/?order=total", "must be key or none"),
            ("amqp://a/?acks=all", "no parameter `acks`; there are client_name"),
            ("amqp://a%:1@b:2", "two hexadecimal digits"),
        ] {
            let error = error(url);
            assert!(error.contains(says), "{url}: {error}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_that_is_not_built_in_is_named_by_its_feature() {
        assert!(error("amqps://a").contains("the feature `rabbitmq-tls` of `jitney`"));
    }

    #[test]
    fn a_password_is_in_no_output() {
        let builder = Builder::from_url("amqp://me:s3cret@a:1/").unwrap();
        assert!(!format!("{builder:?}").contains("s3cret"));
        assert!(!builder.config.describe().contains("s3cret"));
        for url in
            ["amqp://me:s3cret@a/?no=1", "amqp://me:s3cret@/", "amqp://me:s3/cret@a", "amqp://me:s3?cret@a"]
        {
            let error = error(url);
            assert!(!error.contains("s3cret") && !error.contains("cret@"), "{url}: {error}");
        }
    }
}
