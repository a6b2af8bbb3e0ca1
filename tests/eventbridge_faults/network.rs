//! Connections are cut, slowed down, and left without a word.

use std::time::Duration;

use jitney_testkit::proxy::Proxy;

use super::backend;
use super::scenario::on_server;
use crate::faults::load::Load;
use crate::faults::network::connections_break;

/// Long enough for requests to be given up, at a `request_timeout` of 5 s.
const STALLED: Duration = Duration::from_secs(8);

#[test]
fn connections_are_cut_and_slowed_and_stalled() {
    let test = "eventbridge_faults::network::connections_are_cut_and_slowed_and_stalled";
    on_server(test, async |run, server| {
        let proxy = Proxy::new("127.0.0.1:0".parse().unwrap(), server.address()).unwrap();
        let through = run.url.replace(&server.address().to_string(), &proxy.address().to_string());
        run.url = backend::quick(&through);
        connections_break(run, &proxy, Load::new(6_800, 400), STALLED).await;
    });
}
