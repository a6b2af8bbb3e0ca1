//! Connections are cut, slowed down, and left without a word.

use std::time::Duration;

use jitney_testkit::proxy::Proxy;

use super::backend;
use super::scenario::on_server;
use crate::faults::load::Load;
use crate::faults::network::connections_break;

/// Long enough for both sides to give a connection up, at a heartbeat of 2 s.
const STALLED: Duration = Duration::from_secs(8);

#[test]
fn connections_are_cut_and_slowed_and_stalled() {
    on_server("rabbitmq_faults::network::connections_are_cut_and_slowed_and_stalled", async |run, server| {
        let proxy = Proxy::new("127.0.0.1:0".parse().unwrap(), server.address()).unwrap();
        let direct = server.address().to_string();
        run.url = backend::url(&server.url().replace(&direct, &proxy.address().to_string()));
        connections_break(run, &proxy, Load::new(8_000, 500), STALLED).await;
    });
}
