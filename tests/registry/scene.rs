//! The registry of these tests, and what is a single test's own.

use std::net::SocketAddr;
use std::time::Duration;

use jitney::Env;
use jitney::kafka::Kafka;
use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::registry::{ConfluentRegistry, RegistryCodec};

/// How long to wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Where the registry is.
pub(crate) fn url() -> String {
    jitney_test_servers::registry_url().unwrap_or_else(|error| panic!("{error}"))
}

/// The registry's host, and the path of its API.
pub(crate) fn parts() -> (SocketAddr, String) {
    let url = url();
    let rest = url.strip_prefix("http://").expect("the registry of tests speaks HTTP");
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (std::net::ToSocketAddrs::to_socket_addrs(host).unwrap().next().unwrap(), path.to_owned())
}

pub(crate) fn registry() -> ConfluentRegistry {
    ConfluentRegistry::builder(&url()).timeout(PATIENCE).build().unwrap()
}

/// A name that no other run has.
pub(crate) fn own(name: &str) -> String {
    format!("{name}{}", Env::system().new_id().to_string().replace('-', ""))
}

/// A bus in memory.
pub(crate) fn memory(codec: RegistryCodec) -> Bus {
    Bus::builder(Memory::new()).codec(codec).build()
}

/// A bus on Kafka.
pub(crate) async fn kafka(codec: RegistryCodec) -> Bus {
    let url = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
    Bus::builder(Kafka::from_url(&url).await.unwrap()).codec(codec).build()
}

/// Waits for `future`.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    Env::system().timeout(PATIENCE, future).await.expect("it comes about in time")
}

/// Waits until `holds`.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let env = Env::system();
    let deadline = env.instant() + PATIENCE;
    while !holds().await {
        assert!(env.instant() < deadline, "in time it does not come about that {what}");
        env.sleep(Duration::from_millis(20)).await;
    }
}
