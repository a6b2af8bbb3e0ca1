//! Which RabbitMQ a scenario runs on.

use jitney_test_servers::{Error, Exclusive, RabbitMq};
use tokio::task::block_in_place;

use super::backend;
use crate::faults::run::Run;
use crate::faults::scenario::on_exclusive;

/// The server of a scenario.
pub(crate) type Server = Exclusive<RabbitMq>;

/// Runs `scenario` on the server as often as the environment says. `test` is the path of the test that calls this.
pub(crate) fn on_server(test: &'static str, scenario: impl AsyncFn(&mut Run, &Server)) {
    let find = || RabbitMq::single()?.exclusive();
    on_exclusive(test, find, |server| backend::url(&server.url()), scenario);
}

/// Does something to the server, which blocks.
pub(crate) fn on(server: &Server, act: impl FnOnce(&RabbitMq) -> Result<(), Error>) {
    block_in_place(|| act(server)).unwrap();
}
