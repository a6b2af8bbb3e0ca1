//! The set-up as a URL: `eventbridge://bus-name?region=eu-west-1&archive=orders`.

use std::time::Duration;

use jitney_core::Error;
use jitney_core::url::{BOOLEAN, COUNT, DURATION, Parameter, duration, name, positive, read_query, set};

use super::{Builder, Config};

const NAME: &str = "a name";

const PARAMETERS: &[Parameter<Config>] = &[
    Parameter {
        name: "region",
        allowed: "a region such as eu-west-1",
        read: |c, v| set(&mut c.region, name(v).map(Some)),
    },
    Parameter {
        name: "endpoint",
        allowed: "a url that begins with http:// or https://",
        read: |c, v| set(&mut c.endpoint, address(v)),
    },
    Parameter { name: "create", allowed: BOOLEAN, read: |c, v| set(&mut c.create, v.parse().ok()) },
    Parameter { name: "archive", allowed: NAME, read: |c, v| set(&mut c.archive, name(v).map(Some)) },
    Parameter {
        name: "publish_timeout",
        allowed: DURATION,
        read: |c, v| set(&mut c.publish_timeout, duration(v)),
    },
    Parameter {
        name: "request_timeout",
        allowed: DURATION,
        read: |c, v| set(&mut c.request_timeout, duration(v)),
    },
    Parameter {
        name: "connect_timeout",
        allowed: DURATION,
        read: |c, v| set(&mut c.connect_timeout, duration(v)),
    },
    Parameter { name: "max_requests", allowed: COUNT, read: |c, v| set(&mut c.max_requests, positive(v)) },
    Parameter {
        name: "visibility",
        allowed: "whole seconds from 1s to 12h",
        read: |c, v| set(&mut c.visibility, whole_seconds(v, 1, 43_200)),
    },
    Parameter {
        name: "wait",
        allowed: "whole seconds up to 20s",
        read: |c, v| set(&mut c.wait, whole_seconds(v, 0, 20)),
    },
    Parameter {
        name: "max_receives",
        allowed: "a number from 1 to 1000",
        read: |c, v| set(&mut c.max_receives, positive(v).filter(|receives| *receives <= 1_000)),
    },
];

impl Builder {
    /// The set-up that `url` describes; [`EventBridge::from_url`](crate::EventBridge::from_url) lists the parameters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](jitney_core::ErrorKind::Config) for another scheme, no bus or a bad one, credentials, and a
    /// parameter that is unknown, comes twice or has a value that it may not have.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let Some(rest) = url.strip_prefix("eventbridge://") else {
            let scheme = url.split(':').next().unwrap_or_default();
            return Err(bad(&format!("its scheme is `{scheme}`, use eventbridge://bus-name")));
        };
        let (bus, query) = rest.split_once('?').unwrap_or((rest, ""));
        if bus.contains('@') {
            return Err(bad(
                "credentials do not belong in it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or turn the feature \
                 `credentials` on for the SDK's usual chain",
            ));
        }
        let bus = bus.trim_end_matches('/');
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "/.-_".contains(letter);
        if bus.is_empty() || bus.len() > 256 || !bus.chars().all(is_name) {
            return Err(bad(&format!(
                "`{bus}` is no name of an event bus: it has letters, digits, `.`, `-`, `_` and `/`; the account's own bus is \
                 eventbridge://default"
            )));
        }
        let mut builder = Builder::new(bus);
        read_query("eventbridge", query, PARAMETERS, &mut builder.config)?;
        Ok(builder)
    }
}

fn bad(why: &str) -> Error {
    Error::config(format!("reading the eventbridge:// url: {why}"))
}

fn address(value: &str) -> Option<Option<String>> {
    let rest = value.strip_prefix("http://").or_else(|| value.strip_prefix("https://"))?;
    (!rest.is_empty() && !rest.contains('@')).then(|| Some(value.to_owned()))
}

fn whole_seconds(value: &str, least: u64, most: u64) -> Option<Duration> {
    let limit = duration(value)?;
    (limit.subsec_nanos() == 0 && (least..=most).contains(&limit.as_secs())).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        Builder::from_url(url).expect_err(url).to_string()
    }

    #[test]
    fn every_parameter_is_read() {
        let url = "eventbridge://orders?region=eu-west-1&endpoint=http://127.0.0.1:4566&create=false&archive=all\
                   &publish_timeout=1m&request_timeout=2s&connect_timeout=3s&max_requests=4&visibility=5m&wait=6s\
                   &max_receives=7";
        assert_eq!(url.matches('=').count(), PARAMETERS.len(), "a parameter without a test");
        let config = Builder::from_url(url).unwrap().config;
        assert_eq!((config.bus.as_str(), config.region.as_deref()), ("orders", Some("eu-west-1")));
        assert_eq!(config.endpoint.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!((config.create, config.archive.as_deref()), (false, Some("all")));
        let limits = [config.publish_timeout, config.request_timeout, config.connect_timeout];
        assert_eq!(limits.map(|limit| limit.as_secs()), [60, 2, 3]);
        assert_eq!((config.max_requests, config.max_receives), (4, 7));
        assert_eq!((config.visibility.as_secs(), config.wait.as_secs()), (300, 6));
        let described = config.describe();
        assert_eq!(described, "eventbridge://orders?region=eu-west-1&endpoint=http://127.0.0.1:4566");
    }

    #[test]
    fn no_value_is_bent() {
        for url in [
            "eventbridge://",
            "eventbridge://?region=eu-west-1",
            "eventbridge://a bus",
            "eventbridge://default?region=",
            "eventbridge://default?endpoint=127.0.0.1:4566",
            "eventbridge://default?create=yes",
            "eventbridge://default?visibility=500ms",
            "eventbridge://default?visibility=13h",
            "eventbridge://default?visibility=0s",
            "eventbridge://default?wait=21s",
            "eventbridge://default?max_receives=1001",
            "eventbridge://default?max_requests=0",
            "eventbridge://default?access_key=1",
            "sqs://default",
        ] {
            assert!(Builder::from_url(url).is_err(), "{url}");
        }
        assert!(Builder::from_url("eventbridge://aws.partner/example.com/orders/").is_ok());
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        let error = error("eventbridge://AKIA:s3cret@default?region=eu-west-1");
        assert!(error.contains("AWS_SECRET_ACCESS_KEY") && !error.contains("s3cret"), "{error}");
    }
}
