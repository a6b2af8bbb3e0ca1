//! The settings of a node: `server.properties`.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use crate::kafka::tls::Tls;
use crate::kafka::{PASSWORD, USER};
use crate::ports::Ports;

/// What the settings of a node follow from.
#[derive(Debug)]
pub(crate) struct Shape<'a> {
    /// The node's number, from 1.
    pub(crate) id: u32,
    /// The ports of all nodes of its cluster, by their numbers.
    pub(crate) nodes: &'a [(u32, Ports)],
    /// The node's own ports.
    pub(crate) ports: Ports,
    /// Where its data is.
    pub(crate) data: &'a Path,
    /// The certificate, if it has a listener for logins and one for TLS.
    pub(crate) secured: Option<&'a Tls>,
}

/// Where a node listens, and for what.
struct Listener {
    name: &'static str,
    protocol: &'static str,
    bound: u16,
    /// What clients are told; the controllers' own listener tells nothing.
    advertised: Option<u16>,
}

/// Settings in the order in which they were made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Properties {
    lines: Vec<(String, String)>,
}

impl Properties {
    /// The settings of a node of `shape`.
    pub(crate) fn of(shape: &Shape<'_>) -> Self {
        let mut made = Self::default();
        made.identity(shape);
        made.listeners(shape);
        if let Some(tls) = shape.secured {
            made.security(tls);
        }
        made.topics(shape.nodes.len());
        made.small_and_quick();
        made
    }

    /// Sets `name`, in place of its earlier value if it has one.
    pub(crate) fn set(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        match self.lines.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.lines.push((name.to_owned(), value)),
        }
    }

    fn identity(&mut self, shape: &Shape<'_>) {
        let voters: Vec<_> =
            shape.nodes.iter().map(|(id, ports)| format!("{id}@127.0.0.1:{}", ports.controller())).collect();
        self.set("process.roles", "broker,controller");
        self.set("node.id", shape.id);
        self.set("controller.quorum.voters", voters.join(","));
        self.set("log.dirs", shape.data.display());
    }

    fn listeners(&mut self, shape: &Shape<'_>) {
        let ports = shape.ports;
        let listener = |name, protocol, bound, advertised| Listener {
            name,
            protocol,
            bound,
            advertised: Some(advertised),
        };
        let mut listeners = vec![
            listener("PLAINTEXT", "PLAINTEXT", ports.client(), ports.client()),
            listener("PROXIED", "PLAINTEXT", ports.proxied(), ports.proxy()),
            Listener {
                name: "CONTROLLER",
                protocol: "PLAINTEXT",
                bound: ports.controller(),
                advertised: None,
            },
        ];
        if shape.secured.is_some() {
            listeners.push(listener("SASL", "SASL_PLAINTEXT", ports.sasl(), ports.sasl()));
            listeners.push(listener("SSL", "SSL", ports.tls(), ports.tls()));
        }
        let join = |line: fn(&Listener) -> Option<String>| {
            listeners.iter().filter_map(line).collect::<Vec<_>>().join(",")
        };
        self.set("listeners", join(|it| Some(format!("{}://127.0.0.1:{}", it.name, it.bound))));
        self.set(
            "advertised.listeners",
            join(|it| Some(format!("{}://127.0.0.1:{}", it.name, it.advertised?))),
        );
        self.set("listener.security.protocol.map", join(|it| Some(format!("{}:{}", it.name, it.protocol))));
        self.set("controller.listener.names", "CONTROLLER");
        self.set("inter.broker.listener.name", "PLAINTEXT");
    }

    fn security(&mut self, tls: &Tls) {
        self.set("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512");
        self.set(
            "listener.name.sasl.plain.sasl.jaas.config",
            format!(
                "org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"
            ),
        );
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            self.set(
                &format!("listener.name.sasl.{mechanism}.sasl.jaas.config"),
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            );
        }
        self.set("listener.name.ssl.ssl.keystore.type", "PKCS12");
        self.set("listener.name.ssl.ssl.keystore.location", tls.store().display());
        self.set("listener.name.ssl.ssl.keystore.password", PASSWORD);
        self.set("listener.name.ssl.ssl.key.password", PASSWORD);
    }

    fn topics(&mut self, nodes: usize) {
        // Tests write records of long ago; whether they are still there must not hang on when the broker last looked.
        self.set("log.retention.ms", -1);
        let (replicas, in_sync) = if nodes >= 3 { (3, 2) } else { (1, 1) };
        self.set("num.partitions", 4);
        self.set("auto.create.topics.enable", false);
        self.set("default.replication.factor", replicas);
        self.set("min.insync.replicas", in_sync);
        self.set("offsets.topic.replication.factor", replicas);
        self.set("offsets.topic.num.partitions", 4);
        for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
            self.set(&format!("{topic}.replication.factor"), replicas);
            self.set(&format!("{topic}.min.isr"), in_sync);
            self.set(&format!("{topic}.num.partitions"), 4);
        }
        if nodes > 1 {
            // A node that dies or hangs is noticed within seconds, so that a test of it ends within seconds.
            self.set("broker.session.timeout.ms", 3000);
            self.set("broker.heartbeat.interval.ms", 500);
            self.set("replica.lag.time.max.ms", 3000);
            // On a busy machine three nodes that start together need longer than a minute until they agree: those that
            // have given up by then are missing for good.
            self.set("initial.broker.registration.timeout.ms", 300_000);
        }
    }

    fn small_and_quick(&mut self) {
        self.set("group.initial.rebalance.delay.ms", 0);
        self.set("group.min.session.timeout.ms", 1000);
        self.set("log.cleaner.dedupe.buffer.size", 16 * 1024 * 1024);
        self.set("num.network.threads", 2);
        self.set("num.io.threads", 4);
    }
}

impl Display for Properties {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(name, value)| writeln!(out, "{name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(nodes: u16, secured: Option<&Tls>) -> String {
        let all: Vec<_> =
            (1..=nodes).map(|id| (u32::from(id), Ports::from(29092 + 100 * (id - 1)))).collect();
        let (id, ports) = all[0];
        let shape = Shape { id, nodes: &all, ports, data: Path::new("/data"), secured };
        Properties::of(&shape).to_string()
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in:\n{text}");
    }

    #[test]
    fn one_node_listens_for_clients_proxies_and_itself() {
        let text = text(1, None);
        has(
            &text,
            "listeners=PLAINTEXT://127.0.0.1:29092,PROXIED://127.0.0.1:29095,CONTROLLER://127.0.0.1:29093",
        );
        has(&text, "advertised.listeners=PLAINTEXT://127.0.0.1:29092,PROXIED://127.0.0.1:29096");
        has(&text, "controller.quorum.voters=1@127.0.0.1:29093");
        has(&text, "min.insync.replicas=1");
        assert!(!text.contains("sasl") && !text.contains("ssl"), "{text}");
        assert!(!text.contains("broker.session.timeout.ms"), "{text}");
    }

    #[test]
    fn three_nodes_vote_replicate_and_notice_a_death_within_seconds() {
        let text = text(3, None);
        has(&text, "controller.quorum.voters=1@127.0.0.1:29093,2@127.0.0.1:29193,3@127.0.0.1:29293");
        has(&text, "default.replication.factor=3");
        has(&text, "transaction.state.log.min.isr=2");
        has(&text, "broker.session.timeout.ms=3000");
        has(&text, "initial.broker.registration.timeout.ms=300000");
    }

    #[test]
    fn a_secured_node_also_listens_for_logins_and_tls() {
        let tls = Tls::in_folder(Path::new("/tls"));
        let text = text(1, Some(&tls));
        has(
            &text,
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,\
             SASL:SASL_PLAINTEXT,SSL:SSL",
        );
        assert!(text.contains(",SASL://127.0.0.1:29097,SSL://127.0.0.1:29098\n"), "{text}");
        has(&text, "listener.name.ssl.ssl.keystore.location=/tls/server.p12");
    }

    #[test]
    fn a_later_value_takes_the_place_of_an_earlier_one() {
        let mut properties = Properties::default();
        properties.set("num.partitions", 4);
        properties.set("log.dirs", "/data");
        properties.set("num.partitions", 1);
        assert_eq!(properties.to_string(), "num.partitions=1\nlog.dirs=/data\n");
    }
}
