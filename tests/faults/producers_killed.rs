//! Producers die between publishing and the answers.

use jitney_testkit::history::What;

use super::child::Role;
use super::ledger::Ledger;
use super::load::Load;
use super::run::Run;

const KILLS: u64 = 6;

/// Where none of those waited for an answer, others follow, up to so many in all.
const MOST_KILLS: u64 = 30;

/// Kills one producer of `load` after another in its middle, while one application handles what they published, and judges.
pub(crate) async fn producers_are_killed(run: &mut Run, load: &Load) {
    let handling = run.app("consumer", Role::Handle { least: 0, most: 5 }).await;
    for number in 0..MOST_KILLS {
        if number >= KILLS && unanswered(run) > 0 {
            break;
        }
        let events = load.events;
        let load = Load { keys: format!("producer{number}"), ..load.clone() };
        run.expect(events);
        let before = run.ledger.acked();
        let mut producer = run.child("producer", Role::Publish(load));
        // Anywhere between a fifth and four fifths.
        let enough = before + run.random.usize(events as usize / 5..events as usize * 4 / 5);
        run.until("a producer has published enough to be killed", |ledger| ledger.acked() >= enough).await;
        run.fault_of_part(&format!("SIGKILL of {}", producer.name), before, events);
        producer.kill();
        run.ledger.refresh();
    }
    assert!(unanswered(run) > 0, "no producer was killed while it waited for an answer");
    run.until("all that was acked is handled", Ledger::all_handled).await;
    handling.shutdown().await.unwrap();
    run.judge(&Run::expectations());
}

/// How many events a producer had published when it died without an answer.
fn unanswered(run: &Run) -> usize {
    let count =
        |which: fn(&What) -> bool| run.ledger.records().iter().filter(|record| which(&record.what)).count();
    count(|what| matches!(what, What::Publishing { .. }))
        - count(|what| matches!(what, What::Published { .. }))
}
