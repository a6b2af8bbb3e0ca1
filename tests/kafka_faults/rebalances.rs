//! Partitions change hands while handlers run.

use std::time::Duration;

use jitney::app::RunningApp;

use super::backend::CALM_GROUPS;
use super::scenario::on_three_nodes;
use crate::faults::child::{Child, Role};
use crate::faults::load::Load;
use crate::faults::run::Run;

/// How many members come and go.
const ROUNDS: usize = 16;

const EVENTS: u64 = 5_000;

#[test]
fn members_come_and_go_and_what_was_settled_stays_settled() {
    on_three_nodes(
        "kafka_faults::rebalances::members_come_and_go_and_what_was_settled_stays_settled",
        async |run, cluster| {
            run.url = format!("{}/?{CALM_GROUPS}", cluster.url());
            let role = Role::Handle { least: 20, most: 200 };
            let staying = run.app("stays", role.clone()).await;
            let mut process: Option<Child> = None;
            let mut app = None;
            let publishing = run.publish(Load::new(EVENTS, 300)).await;
            run.until_acked(10).await;
            let mut seconds = tokio::time::interval(Duration::from_secs(1));
            for round in 0..ROUNDS {
                seconds.tick().await;
                run.landmark(if round % 4 < 2 { "a join" } else { "a leave" });
                match (round % 4, app.take(), process.take()) {
                    // Both come, and both go again, one each second.
                    (0, None, other) => (app, process) = (Some(run.app("app", role.clone()).await), other),
                    (1, other, None) => (app, process) = (other, Some(run.child("process", role.clone()))),
                    (2, Some(leaving), other) => {
                        process = other;
                        leave(run, leaving);
                    }
                    (3, None, Some(mut leaving)) => {
                        run.until_at_work(&leaving.name).await;
                        leaving.stop();
                        run.until_ended(&mut leaving).await;
                    }
                    _ => unreachable!("each comes in its turn"),
                }
            }
            run.over(publishing).await;
            run.until_handled().await;
            staying.shutdown().await.unwrap();
            // A rebalance is no fault: whatever comes twice must have been handed over unsettled, or lie behind such a one.
            run.judge(&Run::expectations());
        },
    );
}

/// Leaves beside the run, which goes on.
fn leave(run: &Run, leaving: RunningApp) {
    drop(run.env.spawn(async move { leaving.shutdown().await.unwrap() }));
}
