//! The nodes of a Kafka that belong together.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::exclusive::Exclusive;
use crate::kafka::node::{self, Heap, Node};
use crate::kafka::properties::{Properties, Shape};
use crate::kafka::runtime::Runtime;
use crate::kafka::tls::Tls;
use crate::kind::Kind;
use crate::managed::{Heal, Make, Managed};
use crate::place::{self, Place};
use crate::ports::{self, Ports};
use crate::program;
use crate::server::Server;
use crate::state::State;

/// A Kafka whose processes are ours: each node of it can be killed, frozen and started again.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
    place: Place,
    nodes: Vec<Node>,
}

impl Cluster {
    /// The URL that a bus connects to, with every node's address.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.addresses())
    }

    /// The URL for clients that go through a proxy in front of each node. See [`Node::proxied`].
    #[must_use]
    pub fn proxied_url(&self) -> String {
        url(self.nodes.iter().map(|node| node.proxied().proxy))
    }

    /// Every node's address, in their order.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(Node::address).collect()
    }

    /// The nodes, in their order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with the number `id`, from 1.
    ///
    /// # Panics
    ///
    /// When there is no such node.
    #[must_use]
    #[track_caller]
    pub fn node(&self, id: u32) -> &Node {
        let found = self.nodes.iter().find(|node| node.id() == id);
        found.unwrap_or_else(|| panic!("{} has nodes 1 to {}, not {id}", self.server, self.nodes.len()))
    }

    /// Where clients log in as [`USER`](crate::USER), by SASL without TLS; only `kafka` has it.
    #[must_use]
    pub fn sasl_address(&self) -> Option<SocketAddr> {
        self.nodes.iter().find(|node| node.secured).map(|node| ports::local(node.ports.sasl()))
    }

    /// Where clients connect by TLS; only `kafka` has it. Its certificate is for 127.0.0.1 and `localhost`.
    #[must_use]
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.nodes.iter().find(|node| node.secured).map(|node| ports::local(node.ports.tls()))
    }

    /// The file, in PEM, of the authority that signed the certificate at [`tls_address`](Self::tls_address).
    #[must_use]
    pub fn tls_authority(&self) -> PathBuf {
        self.tls().authority()
    }

    /// Waits until every node answers and knows all others to be alive.
    ///
    /// # Errors
    ///
    /// When that does not come true within `limit`, or a node does not run.
    pub fn wait_ready(&self, limit: Duration) -> Result<(), Error> {
        let ids: Vec<_> = self.nodes.iter().map(Node::id).collect();
        let deadline = Deadline::after(limit);
        self.nodes.iter().try_for_each(|node| node.wait_ready_among(&ids, deadline.left()))
    }

    /// The number of the node that is the cluster's active controller now, as `node` tells it. Takes a second or two.
    ///
    /// # Errors
    ///
    /// When `node` does not answer, or knows of none.
    pub fn active_controller(&self, node: &Node) -> Result<u32, Error> {
        let status = node.tool("org.apache.kafka.tools.MetadataQuorumCommand", &["describe", "--status"])?;
        let leader = status.lines().find_map(|line| line.strip_prefix("LeaderId:")?.trim().parse().ok());
        leader.ok_or_else(|| Error::Program { command: "describe --status".into(), how: status })
    }

    /// Kills every node. Their data stays, and each can be started again.
    ///
    /// # Errors
    ///
    /// When one cannot be killed.
    pub fn stop(&self) -> Result<(), Error> {
        self.nodes.iter().try_for_each(Node::kill)
    }

    /// Lets frozen nodes go on, starts those that do not run, and waits until all are ready.
    ///
    /// # Errors
    ///
    /// When a node cannot be started, or not all are ready within `limit`.
    pub fn heal(&self, limit: Duration) -> Result<(), Error> {
        self.nodes.iter().try_for_each(|node| node.body.revive(|| node.start()))?;
        self.wait_ready(limit)
    }

    /// Waits until no other test has the cluster to itself, and then has it: for tests that kill or freeze nodes.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be used.
    pub fn exclusive(self) -> Result<Exclusive, Error> {
        let (place, server) = (self.place.clone(), self.server);
        Exclusive::wait(self, &place, server)
    }

    fn of(place: &Place, server: Server, state: &State) -> Self {
        let nodes = numbers(server).map(|id| {
            let folder = place.server(server.name()).join(format!("node-{id}"));
            Node {
                id,
                ports: node_ports(server, state.port_base, id),
                place: place.clone(),
                cluster_id: state.id.clone(),
                secured: server == Server::Kafka,
                heap: if server == Server::Kafka { Heap::Full } else { Heap::Small },
                body: node::body(
                    state.kind,
                    format!("{server} node {id}"),
                    &folder,
                    format!("{server}-{id}"),
                ),
                file_limit: None,
                folder,
            }
        });
        Self { server, place: place.clone(), nodes: nodes.collect() }
    }

    fn tls(&self) -> Tls {
        Tls::in_folder(&self.place.tls())
    }
}

impl Heal for Cluster {
    fn heal(&self, limit: Duration) -> Result<(), Error> {
        self.heal(limit)
    }
}

impl Managed for Cluster {
    fn url(&self) -> String {
        self.url()
    }

    fn pids(&self) -> Vec<u32> {
        self.nodes.iter().filter_map(Node::pid).collect()
    }

    fn size(&self) -> usize {
        self.nodes.len()
    }

    fn is_ready(&self) -> bool {
        self.wait_ready(Duration::ZERO).is_ok()
    }

    fn remove(&self) -> Result<(), Error> {
        self.nodes.iter().try_for_each(Node::remove)?;
        State::remove(&self.place.server(self.server.name()))
    }
}

impl Make for Cluster {
    fn find(place: &Place, server: Server) -> Result<Option<Self>, Error> {
        let state = State::read(&place.server(server.name()))?;
        Ok(state.map(|state| Self::of(place, server, &state)))
    }

    fn make(place: &Place, server: Server, kind: Kind) -> Result<Self, Error> {
        let state = State::new(kind)?;
        let cluster = Self::of(place, server, &state);
        let folder = place.server(server.name());
        let runtime = Runtime::ready(kind, place)?;
        place::remove_folder(&folder)?;
        let tls = cluster.tls();
        if cluster.nodes.iter().any(|node| node.secured) {
            tls.make(place, &runtime)?;
        }
        let all: Vec<_> = cluster.nodes.iter().map(|node| (node.id, node.ports)).collect();
        for node in &cluster.nodes {
            node.prepare(&Properties::of(&Shape {
                id: node.id,
                nodes: &all,
                ports: node.ports,
                data: &node.data(),
                secured: node.secured.then_some(&tls),
            }))?;
        }
        program::run_all(cluster.nodes.iter().map(|node| node.format(&runtime)).collect())?;
        state.write(&folder)?;
        Ok(cluster)
    }

    fn future_url(server: Server) -> Result<String, Error> {
        let base = ports::base()?;
        Ok(url(numbers(server).map(|id| ports::local(node_ports(server, base, id).client()))))
    }
}

fn numbers(server: Server) -> std::ops::RangeInclusive<u32> {
    match server {
        Server::Kafka3 => 1..=3,
        _ => 1..=1,
    }
}

fn node_ports(server: Server, base: u16, id: u32) -> Ports {
    match server {
        Server::Kafka3 => Ports::from(base + 100 * id as u16),
        _ => Ports::from(base),
    }
}

fn url(addresses: impl IntoIterator<Item = SocketAddr>) -> String {
    let addresses: Vec<_> = addresses.into_iter().map(|address| address.to_string()).collect();
    format!("kafka://{}", addresses.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::new_id;

    fn three() -> Cluster {
        let state = State { kind: Kind::Packages, id: new_id(), port_base: 29092 };
        Cluster::of(&Place::at(place::tests::empty("cluster")), Server::Kafka3, &state)
    }

    #[test]
    fn a_cluster_has_the_addresses_of_its_nodes() {
        let cluster = three();
        assert_eq!(cluster.url(), "kafka://127.0.0.1:29192,127.0.0.1:29292,127.0.0.1:29392");
        assert_eq!(cluster.proxied_url(), "kafka://127.0.0.1:29196,127.0.0.1:29296,127.0.0.1:29396");
        assert_eq!(cluster.node(2).proxied().upstream, ports::local(29295));
        assert_eq!(cluster.sasl_address(), None);
    }

    #[test]
    fn a_node_that_does_not_run_is_an_error_at_once() {
        let error = three().wait_ready(Duration::from_secs(600)).unwrap_err();
        assert!(matches!(error, Error::NotRunning { .. }), "{error}");
        assert!(matches!(three().node(1).freeze(), Err(Error::NotRunning { .. })));
    }
}
