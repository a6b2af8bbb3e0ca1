//! Which EventBridge a scenario runs on.

use jitney_test_servers::{EventBridge, Exclusive};

use super::backend;
use crate::faults::run::Run;
use crate::faults::scenario::on_exclusive;

/// Runs `scenario` on the server as often as the environment says. `test` is the path of the test that calls this.
pub(crate) fn on_server(test: &'static str, scenario: impl AsyncFn(&mut Run, &Exclusive<EventBridge>)) {
    let find = || EventBridge::single()?.exclusive();
    on_exclusive(test, find, |server| backend::url(&server.url()), scenario);
}
