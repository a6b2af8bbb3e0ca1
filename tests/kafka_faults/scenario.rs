//! Which Kafka a scenario runs on.

use jitney_test_servers::{Cluster, Exclusive, Kafka as Servers, ThrowAway, ThrowAwayNode};
use tokio::task::block_in_place;

use super::backend;
use crate::faults::child;
use crate::faults::run::{HEALING, Run, begin, each_seed, in_runtime};

/// Runs `scenario` on the cluster of three as often as the environment says. `test` is the path of the test that calls this.
#[allow(clippy::needless_pass_by_value, reason = "a closure is given away")]
pub(crate) fn on_three_nodes(test: &'static str, scenario: impl AsyncFn(&mut Run, &Exclusive)) {
    if child::obeyed() {
        return;
    }
    let _alone = begin();
    let cluster = match Servers::three() {
        Ok(cluster) => cluster.exclusive().unwrap(),
        Err(error) if error.is_given() => {
            println!("skipped: {test}: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    each_seed(|seed| {
        cluster.heal(HEALING).unwrap();
        in_runtime(async {
            let mut run = Run::new(test, seed, backend::url(&cluster.url())).await;
            scenario(&mut run, &cluster).await;
            run.end();
        });
    });
}

/// The same on a node of the scenario's own.
#[allow(clippy::needless_pass_by_value, reason = "a closure is given away")]
pub(crate) fn on_throw_away(
    test: &'static str,
    node: &ThrowAway,
    scenario: impl AsyncFn(&mut Run, &mut ThrowAwayNode),
) {
    let _alone = begin();
    each_seed(|seed| {
        let mut node = node.clone().start(HEALING).unwrap();
        in_runtime(async {
            let mut run = Run::new(test, seed, backend::url(&node.url())).await;
            scenario(&mut run, &mut node).await;
            run.end();
        });
    });
}

/// Has a topic of the run take no larger batches of messages than this.
pub(crate) fn limit_messages(run: &Run, cluster: &Cluster, topic: &str, bytes: u32) {
    let (topic, setting) = (run.on_broker(topic), format!("max.message.bytes={bytes}"));
    let args = ["--alter", "--entity-type", "topics", "--entity-name", &topic, "--add-config", &setting];
    block_in_place(|| cluster.node(1).tool("kafka.admin.ConfigCommand", &args)).unwrap();
}
