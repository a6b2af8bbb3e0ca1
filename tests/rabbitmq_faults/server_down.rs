//! The server dies, hangs, and comes back.

use std::time::Duration;

use super::scenario::{Server, on, on_server};
use crate::faults::disturbed::disturbed;
use crate::faults::load::Load;
use crate::faults::run::{HEALING, Run};

/// How long the server stays away, each time that it dies, beside its start.
const AWAY: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5)];

/// Long enough for both sides to give a connection up, at a heartbeat of 2 s.
const FROZEN: Duration = Duration::from_secs(8);

#[test]
fn the_server_is_killed_and_comes_back() {
    on_server("rabbitmq_faults::server_down::the_server_is_killed_and_comes_back", async |run, server| {
        disturbed(run, Load::new(7_500, 500), async |run| {
            for (away, percent) in AWAY.into_iter().zip([15, 40, 65]) {
                run.until_acked(percent).await;
                run.fault("SIGKILL of the server");
                on(server, |server| server.kill());
                run.broken("the server is dead");
                run.env.sleep(away).await;
                on(server, |server| server.start());
                back(run, server).await;
            }
        })
        .await;
        assert_eq!(run.ledger.not_acked(), 0, "the server was away for less than `publish_timeout`");
    });
}

#[test]
fn the_server_is_frozen_and_thawed() {
    on_server("rabbitmq_faults::server_down::the_server_is_frozen_and_thawed", async |run, server| {
        disturbed(run, Load::new(7_500, 500), async |run| {
            for percent in [15, 40, 65] {
                run.until_acked(percent).await;
                run.fault("SIGSTOP of the server");
                on(server, |server| server.freeze());
                run.broken("the server is frozen");
                run.env.sleep(FROZEN).await;
                // It will read what was sent meanwhile, on connections that were given up.
                run.broken("the server is still frozen");
                on(server, |server| server.thaw());
                back(run, server).await;
            }
        })
        .await;
        assert_eq!(run.ledger.not_acked(), 0, "the server hung for less than `publish_timeout`");
    });
}

/// Waits until the server is back, and everyone at work with it.
async fn back(run: &mut Run, server: &Server) {
    on(server, |server| server.wait_ready(HEALING));
    run.until_it_goes_on(500).await;
    run.fault("the server is back");
}
