//! Producers die between publishing and the answers.

use super::child::Role;
use super::ledger::Ledger;
use super::load::Load;
use super::run::Run;

const KILLS: usize = 6;

/// Where none of those waited for an answer, others follow, up to so many in all.
const MOST_KILLS: usize = 30;

/// Kills one producer after another, each when about as much as `load` is published and it waits for an answer, while one
/// application handles what they published, and judges.
pub(crate) async fn producers_are_killed(run: &mut Run, load: &Load) {
    let handling = run.app("consumer", Role::Handle { least: 0, most: 5 }).await;
    let mut kills = 0;
    while kills < KILLS || run.ledger.unanswered() == 0 {
        assert!(kills < MOST_KILLS, "no producer was killed while it waited for an answer");
        let load = Load { keys: format!("producer{kills}"), ..load.clone() };
        let events = load.events as usize;
        let (acked, unanswered) = (run.ledger.acked(), run.ledger.unanswered());
        let mut producer = run.child("producer", Role::Publish(load));
        let enough = acked + run.random.usize(events / 5..events * 4 / 5);
        run.until("a producer has published enough to be killed", |ledger| ledger.acked() >= enough).await;
        // The answer may still come before the end.
        run.until("it waits for an answer", |ledger| ledger.unanswered() > unanswered).await;
        run.broken(&format!("SIGKILL of {}", producer.name));
        producer.kill();
        run.ledger.refresh();
        kills += 1;
    }
    run.until("all that was acked is handled", Ledger::all_handled).await;
    handling.shutdown().await.unwrap();
    run.note(format!("{kills} producers killed, {} events without an answer", run.ledger.unanswered()));
    run.judge(&Run::expectations());
}
