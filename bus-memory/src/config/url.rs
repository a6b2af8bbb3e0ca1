//! The set-up as a URL: `memory://?semantics=eventbridge&seed=7&duplicate=0.3`.

use jitney_core::Error;
use jitney_core::url::{BOOLEAN, COUNT, DURATION, Parameter, duration, positive, read_query, set};

use super::{Builder, Config};

const NUMBER: &str = "a number from 0";
const PROBABILITY: &str = "a probability from 0 to 1";

const PARAMETERS: &[Parameter<Config>] = &[
    Parameter {
        name: "semantics",
        allowed: "kafka, eventbridge or rabbitmq",
        read: |c, v| set(&mut c.semantics, v.parse().ok()),
    },
    Parameter { name: "partitions", allowed: COUNT, read: |c, v| set(&mut c.partitions, positive(v)) },
    Parameter { name: "capacity", allowed: COUNT, read: |c, v| set(&mut c.capacity, positive(v)) },
    Parameter {
        name: "capacity_bytes",
        allowed: COUNT,
        read: |c, v| set(&mut c.capacity_bytes, positive(v)),
    },
    Parameter { name: "history", allowed: NUMBER, read: |c, v| set(&mut c.history, v.parse().ok()) },
    Parameter {
        name: "history_bytes",
        allowed: NUMBER,
        read: |c, v| set(&mut c.history_bytes, v.parse().ok()),
    },
    Parameter {
        name: "settle_within",
        allowed: DURATION,
        read: |c, v| set(&mut c.settle_within, duration(v)),
    },
    Parameter { name: "revoke_limit", allowed: DURATION, read: |c, v| set(&mut c.revoke_limit, duration(v)) },
    Parameter {
        name: "strict_topics",
        allowed: BOOLEAN,
        read: |c, v| set(&mut c.strict_topics, v.parse().ok()),
    },
    Parameter { name: "seed", allowed: NUMBER, read: |c, v| set(&mut c.seed, v.parse().ok().map(Some)) },
    Parameter {
        name: "duplicate",
        allowed: PROBABILITY,
        read: |c, v| set(&mut c.faults.duplicate, chance(v)),
    },
    Parameter { name: "delay", allowed: PROBABILITY, read: |c, v| set(&mut c.faults.delay, chance(v)) },
    Parameter {
        name: "delay_up_to",
        allowed: DURATION,
        read: |c, v| set(&mut c.faults.delay_up_to, duration(v)),
    },
    Parameter { name: "reorder", allowed: PROBABILITY, read: |c, v| set(&mut c.faults.reorder, chance(v)) },
    Parameter { name: "drop_ack", allowed: PROBABILITY, read: |c, v| set(&mut c.faults.drop_ack, chance(v)) },
    Parameter { name: "reject", allowed: PROBABILITY, read: |c, v| set(&mut c.faults.reject, chance(v)) },
    Parameter { name: "unknown", allowed: PROBABILITY, read: |c, v| set(&mut c.faults.unknown, chance(v)) },
    Parameter { name: "crash", allowed: PROBABILITY, read: |c, v| set(&mut c.faults.crash, chance(v)) },
    Parameter {
        name: "faults_per_message",
        allowed: NUMBER,
        read: |c, v| set(&mut c.faults.per_message, v.parse().ok()),
    },
];

impl Builder {
    /// The set-up that `url` describes; [`Memory::from_url`](crate::Memory::from_url) lists the parameters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](jitney_core::ErrorKind::Config) for another scheme, a host or path, and a parameter that
    /// is unknown, comes twice or has a value that it may not have.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        let Some(rest) = url.strip_prefix("memory:") else {
            let scheme = url.split(':').next().unwrap_or_default();
            return Err(Error::config(format!(
                "reading the transport's url: its scheme is `{scheme}`, use memory://"
            )));
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !matches!(place, "" | "/" | "//" | "///") {
            let place = place.trim_start_matches('/');
            return Err(Error::config(format!(
                "reading the memory:// url: it names `{place}`, but memory is no place on a network; \
                 leave it out: memory://?name=value"
            )));
        }
        let mut builder = Builder::default();
        read_query("memory", query, PARAMETERS, &mut builder.config)?;
        Ok(builder)
    }
}

fn chance(value: &str) -> Option<f64> {
    value.parse().ok().filter(|chance| (0.0..=1.0).contains(chance))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Semantics;

    fn error(url: &str) -> String {
        Builder::from_url(url).expect_err(url).to_string()
    }

    #[test]
    fn every_parameter_is_read() {
        let url = "memory://?semantics=eventbridge&partitions=8&capacity=10&capacity_bytes=11&history=12\
                   &history_bytes=13&settle_within=2m&revoke_limit=50ms&strict_topics=true&seed=7&duplicate=0.3\
                   &delay=0.1&delay_up_to=9s&reorder=0.2&drop_ack=0.4&reject=0.5&unknown=0.6&crash=0.05\
                   &faults_per_message=4";
        assert_eq!(url.matches('=').count(), PARAMETERS.len(), "a parameter without a test");
        let config = Builder::from_url(url).unwrap().config;
        assert_eq!((config.semantics, config.partitions), (Semantics::EventBridge, 8));
        assert_eq!((config.capacity, config.capacity_bytes), (10, 11));
        assert_eq!((config.history, config.history_bytes), (12, 13));
        assert_eq!(
            (config.settle_within, config.revoke_limit),
            (Duration::from_mins(2), Duration::from_millis(50))
        );
        assert_eq!((config.strict_topics, config.seed), (true, Some(7)));
        let faults = config.faults;
        assert_eq!((faults.duplicate, faults.delay, faults.reorder), (0.3, 0.1, 0.2));
        assert_eq!((faults.drop_ack, faults.reject, faults.unknown, faults.crash), (0.4, 0.5, 0.6, 0.05));
        assert_eq!((faults.delay_up_to, faults.per_message), (Duration::from_secs(9), 4));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_right() {
        let unknown = error("memory://?partition=8");
        assert!(unknown.contains("no parameter `partition`"), "{unknown}");
        for parameter in PARAMETERS {
            assert!(unknown.contains(parameter.name), "{unknown}");
        }
        let message = error("memory://?duplicate=30%");
        assert!(message.contains("`duplicate` is `30%`, but must be a probability from 0 to 1"), "{message}");
        let message = error("memory://?semantics=nats");
        assert!(
            message.contains("`semantics` is `nats`, but must be kafka, eventbridge or rabbitmq"),
            "{message}"
        );
    }

    #[test]
    fn no_value_is_bent() {
        for url in [
            "memory://?partitions=0",
            "memory://?partitions=-1",
            "memory://?partitions=4294967296",
            "memory://?capacity=0",
            "memory://?crash=1.5",
            "memory://?crash=NaN",
            "memory://?settle_within=30",
            "memory://?settle_within=s",
            "memory://?strict_topics=yes",
            "memory://?seed=",
            "memory://?seed",
            "memory://?seed=1&seed=2",
            "memory://localhost",
            "memory:///path?seed=1",
            "kafka://?seed=1",
            "",
        ] {
            assert!(Builder::from_url(url).is_err(), "{url}");
        }
        for url in ["memory:", "memory://", "memory:///", "memory://?", "memory://?&seed=1&"] {
            assert!(Builder::from_url(url).is_ok(), "{url}");
        }
    }
}
