//! Which port is for what. Each node or server has a block of ten; blocks start at 29092, a hundred apart: `kafka`, the
//! three of `kafka3`, `rabbitmq`, `eventbridge`, `postgres`, `registry`.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::error::Error;

/// The environment variable that moves all servers to other ports: the client port of `kafka`.
pub(crate) const BASE_VARIABLE: &str = "JITNEY_SERVERS_PORT_BASE";

const BASE: u16 = 29092;
/// How many ports from the first on are for servers.
pub(crate) const ROOM: u16 = 800;

const LAST_BASE: u16 = u16::MAX - ROOM;
const OUTSIDE_EPHEMERAL: std::ops::Range<u16> = 20_000..28_000;
const BLOCK: u16 = 10;

static TAKEN: AtomicU16 = AtomicU16::new(0);

/// The ports of one node or server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ports {
    first: u16,
}

impl Ports {
    /// The block that begins at `first`.
    pub(crate) fn from(first: u16) -> Self {
        Self { first }
    }

    /// A block in which nothing listens now, below the ports that systems give to outgoing connections.
    pub(crate) fn free() -> Result<Self, Error> {
        let blocks = (OUTSIDE_EPHEMERAL.end - OUTSIDE_EPHEMERAL.start) / BLOCK;
        // Another start for each process, and no block twice in one, as a node listens only seconds later.
        let start = u16::try_from(std::process::id() % u32::from(blocks)).unwrap_or(0);
        (0..blocks)
            .map(|_| (start + TAKEN.fetch_add(1, Ordering::Relaxed) % blocks) % blocks)
            .map(|block| Self::from(OUTSIDE_EPHEMERAL.start + block * BLOCK))
            .find(|ports| (0..BLOCK).all(|offset| is_free(ports.first + offset)))
            .ok_or(Error::PortTaken { port: OUTSIDE_EPHEMERAL.start })
    }

    /// Where clients connect.
    pub(crate) fn client(self) -> u16 {
        self.first
    }

    /// Where the nodes elect their controller.
    pub(crate) fn controller(self) -> u16 {
        self.first + 1
    }

    /// Where RabbitMQ is managed, and the registry asked for its health, by HTTP.
    pub(crate) fn management(self) -> u16 {
        self.first + 1
    }

    /// Where Erlang programs such as `rabbitmqctl` reach RabbitMQ.
    pub(crate) fn distribution(self) -> u16 {
        self.first + 2
    }

    /// Where Erlang programs ask for each other's ports.
    pub(crate) fn epmd(self) -> u16 {
        self.first + 3
    }

    /// Where clients arrive that came through a proxy.
    pub(crate) fn proxied(self) -> u16 {
        self.first + 3
    }

    /// Where the proxy listens: what the listener `proxied` advertises.
    pub(crate) fn proxy(self) -> u16 {
        self.first + 4
    }

    /// Where clients connect that log in.
    pub(crate) fn sasl(self) -> u16 {
        self.first + 5
    }

    /// Where clients connect by TLS.
    pub(crate) fn tls(self) -> u16 {
        self.first + 6
    }

    /// An error if something listens on one of the ports that a node of Kafka needs.
    pub(crate) fn check(self, secured: bool) -> Result<(), Error> {
        let always = [self.client(), self.controller(), self.proxied()];
        let also = [self.sasl(), self.tls()];
        let needed = always.into_iter().chain(also.into_iter().filter(|_| secured));
        check(needed)
    }
}

/// An error if something listens on one of `ports`.
pub(crate) fn check(ports: impl IntoIterator<Item = u16>) -> Result<(), Error> {
    ports.into_iter().filter(|port| !is_free(*port)).try_for_each(|port| Err(Error::PortTaken { port }))
}

/// The first port of all servers: 29092, or what the environment says.
pub(crate) fn base() -> Result<u16, Error> {
    std::env::var(BASE_VARIABLE).map_or(Ok(BASE), |text| parse_base(&text))
}

/// `port` on this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn parse_base(text: &str) -> Result<u16, Error> {
    text.parse().ok().filter(|port| (1024..=LAST_BASE).contains(port)).ok_or_else(|| Error::Setting {
        name: BASE_VARIABLE.to_owned(),
        why: format!("`{text}` is not a port between 1024 and {LAST_BASE}"),
    })
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(local(port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_one_port_for_each_purpose() {
        let ports = Ports::from(29192);
        let all =
            [ports.client(), ports.controller(), ports.proxied(), ports.proxy(), ports.sasl(), ports.tls()];
        assert_eq!(all, [29192, 29193, 29195, 29196, 29197, 29198]);
    }

    #[test]
    fn a_port_in_use_is_named() {
        let ports = Ports::free().unwrap();
        ports.check(true).unwrap();
        let _taken = TcpListener::bind(local(ports.sasl())).unwrap();
        ports.check(false).unwrap();
        let error = ports.check(true).unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{}", ports.sasl())), "{error}");
    }

    #[test]
    fn two_nodes_of_one_process_get_different_ports() {
        assert_ne!(Ports::free().unwrap(), Ports::free().unwrap());
    }

    #[test]
    fn the_base_is_a_port_with_room_behind_it() {
        assert_eq!(parse_base("31000").unwrap(), 31000);
        for text in ["80", "65500", "many", ""] {
            let error = parse_base(text).unwrap_err().to_string();
            assert!(error.starts_with("`JITNEY_SERVERS_PORT_BASE` cannot be used: "), "{error}");
        }
    }
}
