//! Brokers die, hang, and come back.

use std::time::Duration;

use jitney_test_servers::{Cluster, Error};
use tokio::task::block_in_place;

use super::scenario::on_three_nodes;
use crate::faults::disturbed::disturbed;
use crate::faults::events::TOPIC;
use crate::faults::load::Load;
use crate::faults::run::{HEALING, Run};

/// Longer than the cluster's `broker.session.timeout.ms`, which is 3 s.
const FROZEN: Duration = Duration::from_secs(5);

const DOWN: Duration = Duration::from_secs(20);

#[test]
fn each_broker_is_killed_and_comes_back() {
    on_three_nodes(
        "kafka_faults::brokers_down::each_broker_is_killed_and_comes_back",
        async |run, cluster| {
            // Eight partitions, offsets and groups are led by all three: each death hits leaders, and one the coordinator.
            disturbed(run, Load::new(9_000, 600), async |run| {
                for (node, percent) in [(1, 15), (2, 40), (3, 65)] {
                    run.until_acked(percent).await;
                    run.fault(&format!("SIGKILL of broker {node}"));
                    on(cluster, |cluster| cluster.node(node).kill());
                    run.until_it_goes_on(1_000).await;
                    on(cluster, |cluster| cluster.node(node).start());
                    on(cluster, |cluster| cluster.wait_ready(HEALING));
                }
            })
            .await;
        },
    );
}

#[test]
fn each_broker_is_frozen_and_thawed() {
    on_three_nodes("kafka_faults::brokers_down::each_broker_is_frozen_and_thawed", async |run, cluster| {
        disturbed(run, Load::new(9_000, 600), async |run| {
            for (node, percent) in [(1, 15), (2, 40), (3, 65)] {
                run.until_acked(percent).await;
                run.fault(&format!("SIGSTOP of broker {node}"));
                on(cluster, |cluster| cluster.node(node).freeze());
                run.env.sleep(FROZEN).await;
                on(cluster, |cluster| cluster.node(node).thaw());
                run.until_it_goes_on(1_000).await;
                on(cluster, |cluster| cluster.wait_ready(HEALING));
                until_in_sync(run, cluster).await;
            }
        })
        .await;
        assert_eq!(run.ledger.not_acked(), 0, "two brokers in sync take everything");
    });
}

#[test]
fn all_brokers_are_down_for_twenty_seconds() {
    on_three_nodes(
        "kafka_faults::brokers_down::all_brokers_are_down_for_twenty_seconds",
        async |run, cluster| {
            disturbed(run, Load::new(4_000, 400), async |run| {
                run.until_acked(40).await;
                run.fault("SIGKILL of all brokers");
                on(cluster, Cluster::stop);
                run.env.sleep(DOWN).await;
                on(cluster, |cluster| cluster.heal(HEALING));
            })
            .await;
            assert_eq!(run.ledger.not_acked(), 0, "20 s are less than `publish_timeout`");
        },
    );
}

/// Waits until a broker that is back has all that it missed: the death of another leaves two in sync then, not one.
async fn until_in_sync(run: &Run, cluster: &Cluster) {
    let topic = run.on_broker(TOPIC);
    let args = ["--describe", "--topic", &topic, "--under-replicated-partitions"];
    let deadline = run.env.instant() + HEALING;
    loop {
        let behind =
            block_in_place(|| cluster.node(1).tool("org.apache.kafka.tools.TopicCommand", &args)).unwrap();
        if !behind.contains("Partition:") {
            return;
        }
        assert!(run.env.instant() < deadline, "replicas are behind after {HEALING:?}: {behind}");
    }
}

/// Does something to the cluster, which blocks.
fn on(cluster: &Cluster, act: impl FnOnce(&Cluster) -> Result<(), Error>) {
    block_in_place(|| act(cluster)).unwrap();
}
