//! Handlers that take longer than the group waits for a member.

use super::scenario::on_three_nodes;
use crate::faults::child::Role;
use crate::faults::load::Load;
use crate::faults::run::Run;
use jitney_testkit::history::What;

/// Two rounds of the lanes of one member.
const EVENTS: u64 = 128;

#[test]
fn a_handler_slower_than_the_poll_interval_keeps_its_place() {
    on_three_nodes(
        "kafka_faults::slow_handlers::a_handler_slower_than_the_poll_interval_keeps_its_place",
        async |run, cluster| {
            run.url = format!(
                "{}/?max.poll.interval.ms=6000&session.timeout.ms=6000&commit_interval=100ms",
                cluster.url()
            );
            let handling = run.app("slow", Role::Handle { least: 9_000, most: 12_000 }).await;
            let publishing = run.publish(Load::new(EVENTS, 1_000)).await;
            run.over(publishing).await;
            run.until_handled().await;
            handling.shutdown().await.unwrap();
            let summary = run.judge(&Run::expectations());
            assert_eq!(summary.duplicates, 0, "no event came twice");
            let was_lost = |what: &What| matches!(what, What::Lost { .. });
            assert!(
                !run.ledger.records().iter().any(|record| was_lost(&record.what)),
                "no member was put out"
            );
        },
    );
}
