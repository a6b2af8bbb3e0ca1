//! Messages over a limit: this side's, and the topic's.

use jitney::ErrorKind;
use jitney_testkit::history::{PublishOutcome, What};

use super::backend::QUICK_GROUPS;
use super::scenario::{limit_messages, on_three_nodes};
use crate::faults::child::Role;
use crate::faults::events::{Happened, TOPIC};
use crate::faults::load::Load;
use crate::faults::run::Run;

#[test]
fn a_message_that_is_too_large_is_refused_and_harms_no_other() {
    on_three_nodes(
        "kafka_faults::large_messages::a_message_that_is_too_large_is_refused_and_harms_no_other",
        async |run, cluster| {
            // All of a call go into few batches, which are larger than the topic takes.
            run.url = format!("{}/?{QUICK_GROUPS}&linger=200ms", cluster.url());
            limit_messages(run, cluster, TOPIC, 20_000);
            let handling = run.app("consumer", Role::Handle { least: 0, most: 1 }).await;
            let bus = run.orders("publisher", Role::Publish(Load::new(0, 1))).bus().await.unwrap();
            run.expect(600);
            // More than this side publishes: it is refused before anything is sent.
            let oversized =
                Happened { key: "oversized".to_owned(), sequence: 1, padding: "x".repeat(1_200_000) };
            let error = bus.publish(&oversized).await.expect_err("it is too large");
            assert!(!error.is_retryable() && error.to_string().contains("1000000"), "{error}");
            for round in 0..3 {
                // One of them is more than the topic takes.
                let padding = |number| if number == 50 { 30_000 } else { 400 };
                let events: Vec<_> = (0..200)
                    .map(|number| Happened {
                        key: format!("key-{}", number % 20),
                        sequence: round * 10 + number / 20 + 1,
                        padding: "x".repeat(padding(number)),
                    })
                    .collect();
                if round == 1 {
                    run.landmark("messages too large");
                }
                let error = bus.publish_all(&events).await.expect_err("one of them is too large");
                let failed: Vec<_> =
                    error.failed().iter().map(|(index, error)| (*index, error.kind())).collect();
                assert_eq!(failed, [(50, ErrorKind::Rejected)], "{error}");
                for (_, error) in error.failed() {
                    assert!(
                        !error.is_retryable() && error.to_string().contains("max.message.bytes"),
                        "{error}"
                    );
                }
            }
            run.until_handled().await;
            let is_refused =
                |what: &What| matches!(what, What::Published { outcome: PublishOutcome::Rejected, .. });
            let refused = run.ledger.records().iter().filter(|record| is_refused(&record.what)).count();
            assert_eq!(refused, 3);
            handling.shutdown().await.unwrap();
            // A refused message leaves a gap in its key, which is no disorder.
            run.judge(&Run::expectations());
        },
    );
}
