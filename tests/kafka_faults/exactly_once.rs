//! Outputs and offsets in one transaction, while processes and brokers die.

use std::collections::BTreeSet;

use jitney_test_servers::{Cluster, Exclusive};
use jitney_testkit::history::{EventRef, PublishOutcome, What};
use tokio::task::block_in_place;

use super::backend::QUICK_GROUPS;
use super::reader::{Isolation, read, until_no_transaction_is_open};
use super::scenario::{limit_messages, on_three_nodes};
use crate::faults::child::{self, Child, Role};
use crate::faults::events::{OUTPUTS, TOPIC, event_in};
use crate::faults::ledger::Ledger;
use crate::faults::load::Load;
use crate::faults::run::{HEALING, PATIENCE, Run};

const KILLS: usize = 10;
const SLOTS: usize = 3;

/// Transactions of the dead are ended soon.
pub(crate) const QUICK_TRANSACTIONS: &str = "transaction_timeout=5s";

#[test]
fn each_input_has_one_output_whatever_dies() {
    on_three_nodes(
        "kafka_faults::exactly_once::each_input_has_one_output_whatever_dies",
        async |run, cluster| {
            let mut members: Vec<_> = (0..SLOTS).map(|slot| deriving(run, cluster, slot)).collect();
            let publishing = run.publish(Load::new(6_000, 300)).await;
            let mut restarts = 0;
            for kill in 0..KILLS {
                run.until_acked(15 + kill * 65 / KILLS).await;
                restarts += restart(run, cluster, &mut members);
                let names: Vec<_> = members.iter().map(|member| member.name.clone()).collect();
                let at_work = |ledger: &Ledger| {
                    (0..SLOTS).filter(|slot| ledger.open_at(&names[*slot]) > 0).collect::<Vec<_>>()
                };
                run.until("a member is at work", |ledger| !at_work(ledger).is_empty()).await;
                let slots = at_work(&run.ledger);
                let slot = slots[run.random.usize(..slots.len())];
                run.kill(&mut members[slot]);
                members[slot] = deriving(run, cluster, slot);
                if kill == KILLS / 2 {
                    let node = run.random.u32(1..=3);
                    run.fault(&format!("SIGKILL of broker {node}"));
                    block_in_place(|| cluster.node(node).kill()).unwrap();
                    let acked = run.ledger.acked();
                    run.until("two brokers carry on", |ledger| ledger.acked() > acked + 300).await;
                    block_in_place(|| cluster.node(node).start()).unwrap();
                    block_in_place(|| cluster.wait_ready(HEALING)).unwrap();
                }
            }
            run.over(publishing).await;
            restarts += restart(run, cluster, &mut members);
            until_no_lag(run).await;
            for mut member in members {
                member.stop();
                run.until_ended(&mut member).await;
            }
            let inputs = acked(run);
            let hidden = one_output_each(run, cluster, &inputs);
            run.note(format!(
                "each input has one output, {hidden} more were written and aborted, {restarts} fenced"
            ));
            // A process may die when its transaction is stored, and before it can write that down.
            run.judge(&Run::expectations().drained(false));
        },
    );
}

#[test]
fn what_an_aborted_transaction_wrote_is_seen_by_nobody() {
    on_three_nodes(
        "kafka_faults::exactly_once::what_an_aborted_transaction_wrote_is_seen_by_nobody",
        async |run, cluster| {
            limit_messages(run, cluster, OUTPUTS, 3_000);
            // Nobody dies here: a transaction may take as long as it takes, and a refusal costs no such time.
            run.url = format!("{}/?{QUICK_GROUPS}&transaction_timeout=1m", cluster.url());
            let deriving = run.app("deriving", Role::Derive { least: 0, most: 10 }).await;
            let publishing = run.publish(Load::new(3_000, 300)).await;
            run.until_acked(30).await;
            // Outputs that the topic does not take, among others that it does.
            let large = Load { keys: "large".to_owned(), padding: 8_000, ..Load::new(8, 300) };
            run.landmark("outputs too large");
            let refused = run.publish(large).await;
            run.over(refused).await;
            run.over(publishing).await;
            until_no_lag(run).await;
            // The end of a transaction is told to its partitions one after the other.
            let place = format!("{}.dead-letters", group(run));
            block_in_place(|| until_no_transaction_is_open(&cluster.url(), &place));
            let letters = dead_letters(run).await;
            deriving.shutdown().await.unwrap();
            let (refused, taken): (BTreeSet<_>, BTreeSet<_>) =
                acked(run).into_iter().partition(|event| event.key.starts_with("large"));
            assert_eq!(letters, refused, "those that were refused are dead letters, and only those");
            let hidden = one_output_each(run, cluster, &taken);
            assert!(hidden > 0, "no transaction was aborted after it had written");
            run.note(format!("{hidden} outputs were written, aborted, and hidden"));
            run.judge(&Run::expectations().drained(false));
        },
    );
}

/// A process that derives. Two of three are known by name when they come back, which ends their transactions at once; the
/// third one's are ended by the cluster.
fn deriving(run: &mut Run, cluster: &Exclusive, slot: usize) -> Child {
    let name = if slot == 0 { String::new() } else { format!("&instance_id={}-{slot}", run.id) };
    run.url = format!("{}/?{QUICK_GROUPS}&{QUICK_TRANSACTIONS}{name}", cluster.url());
    run.child("deriving", Role::Derive { least: 0, most: 20 })
}

/// Starts processes anew that have ended by themselves, as whoever runs them would; answers how many. When a coordinator dies,
/// the cluster may take a static member for a second one of its name, and fence it.
fn restart(run: &mut Run, cluster: &Exclusive, members: &mut [Child]) -> usize {
    let mut restarts = 0;
    for (slot, member) in members.iter_mut().enumerate() {
        if member.ended().is_some() {
            let log = child::log(&run.folder, &member.name);
            assert!(log.contains("FencedInstanceId"), "{} has ended: {log}", member.name);
            *member = deriving(run, cluster, slot);
            restarts += 1;
        }
    }
    restarts
}

/// What was acked to publishers.
pub(crate) fn acked(run: &mut Run) -> BTreeSet<EventRef> {
    run.ledger.refresh();
    let acked = |what: &What| match what {
        What::Published { event, outcome: PublishOutcome::Acked } if event.topic == TOPIC => {
            Some(event.clone())
        }
        _ => None,
    };
    run.ledger.records().iter().filter_map(|record| acked(&record.what)).collect()
}

/// Demands one visible output for each of `inputs`, and answers how many more were written.
pub(crate) fn one_output_each(run: &Run, cluster: &Cluster, inputs: &BTreeSet<EventRef>) -> usize {
    let topic = run.on_broker(OUTPUTS);
    block_in_place(|| until_no_transaction_is_open(&cluster.url(), &topic));
    let seen = block_in_place(|| read(&cluster.url(), &topic, Isolation::Committed));
    let several: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
    assert!(several.is_empty(), "{} inputs have several outputs: {:?}", several.len(), several.first());
    let missing: Vec<_> = inputs.iter().filter(|event| !seen.contains_key(event)).collect();
    assert!(missing.is_empty(), "{} inputs have no output: {:?}", missing.len(), missing.first());
    assert_eq!(seen.len(), inputs.len(), "outputs without an input that was acked");
    let written = block_in_place(|| read(&cluster.url(), &topic, Isolation::Uncommitted));
    written.values().sum::<usize>() - seen.len()
}

fn group(run: &Run) -> String {
    format!("{}.derived", run.id)
}

/// Waits until the group has stored that it is through.
pub(crate) async fn until_no_lag(run: &mut Run) {
    let bus = run.orders("lag", Role::Derive { least: 0, most: 0 }).bus().await.unwrap();
    let deadline = run.env.instant() + PATIENCE;
    loop {
        // While a broker is away it may not be known.
        let lag = bus.admin().unwrap().lag(&group(run)).await;
        let behind = lag.as_ref().map(|lag| lag.iter().map(|lag| lag.events).sum::<u64>());
        if behind.as_ref().is_ok_and(|behind| *behind == 0) {
            break;
        }
        assert!(run.env.instant() < deadline, "the group is behind by {behind:?} after {PATIENCE:?}");
        run.env.sleep(std::time::Duration::from_millis(100)).await;
    }
    bus.close(PATIENCE).await.unwrap();
}

async fn dead_letters(run: &mut Run) -> BTreeSet<EventRef> {
    let bus = run.orders("letters", Role::Derive { least: 0, most: 0 }).bus().await.unwrap();
    let letters = bus.admin().unwrap().dead_letters(&group(run), 10_000).await.unwrap();
    bus.close(PATIENCE).await.unwrap();
    letters.iter().map(|letter| event_in(TOPIC, letter)).collect()
}
