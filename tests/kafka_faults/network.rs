//! Connections are cut, slowed down, and left without a word.

use std::time::Duration;

use jitney_test_servers::Exclusive;
use jitney_testkit::proxy::Proxy;

use super::backend::QUICK_GROUPS;
use super::exactly_once::{QUICK_TRANSACTIONS, acked, one_output_each, until_no_lag};
use super::scenario::on_three_nodes;
use crate::faults::child::Role;
use crate::faults::events::OUTPUTS;
use crate::faults::load::Load;
use crate::faults::run::Run;

const CUT: Duration = Duration::from_secs(3);

/// Each answer comes so late: with five requests under way, a twentieth of what a second can hold is still enough.
const SLOW: Duration = Duration::from_millis(100);

/// Longer than the client waits for an answer.
const STALLED: Duration = Duration::from_secs(8);

#[test]
fn connections_are_cut_and_slowed_and_stalled() {
    on_three_nodes(
        "kafka_faults::network::connections_are_cut_and_slowed_and_stalled",
        async |run, cluster| {
            let proxies = proxies(cluster);
            run.url = format!("{}/?{QUICK_GROUPS}&socket.timeout.ms=5000", cluster.proxied_url());
            let handling = run.app("consumer", Role::Handle { least: 0, most: 10 }).await;
            let publishing = run.publish(Load::new(10_000, 500)).await;
            run.until_acked(12).await;
            run.fault("connections to one broker cut");
            proxies[run.random.usize(..3)].cut();
            run.env.sleep(CUT).await;
            proxies.iter().for_each(Proxy::restore);

            run.until_acked(30).await;
            run.fault("connections to all brokers cut");
            proxies.iter().for_each(Proxy::cut);
            run.env.sleep(CUT).await;
            proxies.iter().for_each(Proxy::restore);

            run.until_acked(50).await;
            run.fault("connections slowed down");
            proxies.iter().for_each(|proxy| proxy.delay(SLOW));
            run.until_it_goes_on(500).await;
            proxies.iter().for_each(|proxy| proxy.delay(Duration::ZERO));

            run.until_acked(70).await;
            run.fault("connections to all brokers stalled");
            proxies.iter().for_each(Proxy::stall);
            run.env.sleep(STALLED).await;
            proxies.iter().for_each(Proxy::restore);

            run.over(publishing).await;
            run.until_handled().await;
            handling.shutdown().await.unwrap();
            run.judge(&Run::expectations());
        },
    );
}

/// The member keeps its place (its session outlasts the cut), the transaction is stored, the answer is not heard, and for a time nobody can be asked what became of it.
#[test]
fn a_transaction_of_unknown_outcome_is_not_stored_twice() {
    on_three_nodes(
        "kafka_faults::network::a_transaction_of_unknown_outcome_is_not_stored_twice",
        async |run, cluster| {
            let proxies = proxies(cluster);
            // What is published and what is asked goes past the proxies.
            let publishing = run.publish(Load::new(4_000, 200)).await;
            let direct = run.url.clone();
            run.url = format!(
                "{}/?{QUICK_TRANSACTIONS}&connect_timeout=2s&socket.timeout.ms=3000",
                cluster.proxied_url()
            );
            let deriving = run.app("deriving", Role::Derive { least: 0, most: 5 }).await;
            run.url = direct;
            for round in 0..2 {
                run.until_acked(20 + round * 40).await;
                run.until("outputs are stored", |ledger| ledger.handled() > 0).await;
                proxies.iter().for_each(|proxy| proxy.hold_answers_from(ends_a_transaction));
                run.until("a transaction is being ended", |_| proxies.iter().any(Proxy::is_disturbed)).await;
                run.fault("no answer to the end of a transaction");
                // Its limit passes.
                run.env.sleep(Duration::from_secs(6)).await;
                run.fault("connections cut");
                proxies.iter().for_each(Proxy::cut);
                // The look-up fails too, more than once.
                run.env.sleep(Duration::from_secs(6)).await;
                proxies.iter().for_each(Proxy::restore);
            }
            run.over(publishing).await;
            until_no_lag(run).await;
            deriving.shutdown().await.unwrap();
            let inputs = acked(run);
            let hidden = one_output_each(run, cluster, &inputs);
            run.note(format!(
                "each input has one output in {}, {hidden} more were written and aborted",
                run.on_broker(OUTPUTS)
            ));
            run.judge(&Run::expectations().drained(false));
        },
    );
}

/// One partition, one output a request, five requests under way, and answers that are late: within its time-out a transaction can
/// hold less than a hundred outputs, and far more are settled at once.
#[test]
fn what_is_too_much_for_one_transaction_is_stored_in_parts() {
    on_three_nodes(
        "kafka_faults::network::what_is_too_much_for_one_transaction_is_stored_in_parts",
        async |run, cluster| {
            let proxies = proxies(cluster);
            let publishing = run.publish(Load::new(400, 1)).await;
            run.over(publishing).await;
            proxies.iter().for_each(|proxy| proxy.delay(SLOW));
            run.url = format!("{}/?{QUICK_TRANSACTIONS}&batch.num.messages=1", cluster.proxied_url());
            let deriving = run.app("deriving", Role::Derive { least: 0, most: 0 }).await;
            until_no_lag(run).await;
            proxies.iter().for_each(|proxy| proxy.delay(Duration::ZERO));
            deriving.shutdown().await.unwrap();
            let inputs = acked(run);
            let hidden = one_output_each(run, cluster, &inputs);
            assert!(hidden > 0, "every transaction was stored in time");
            run.note(format!("each input has one output, {hidden} more were written and aborted"));
            run.judge(&Run::expectations().drained(false));
        },
    );
}

/// Whether a request is Kafka's EndTxn: behind its length comes its number.
fn ends_a_transaction(request: &[u8]) -> bool {
    const END_TXN: [u8; 2] = [0, 26];
    request.get(4..6) == Some(&END_TXN)
}

/// A proxy in front of each broker.
fn proxies(cluster: &Exclusive) -> Vec<Proxy> {
    let proxied = cluster.nodes().iter().map(|node| node.proxied());
    proxied.map(|at| Proxy::new(at.proxy, at.upstream).unwrap()).collect()
}
