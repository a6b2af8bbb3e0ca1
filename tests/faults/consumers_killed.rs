//! Consumers die in mid-batch, and others take over what they had in hand.

use super::child::{Child, Role};
use super::ledger::Ledger;
use super::load::Load;
use super::run::Run;
use super::scenario::declare;

const MEMBERS: usize = 3;
const ROLE: Role = Role::Handle { least: 5, most: 60 };

/// Kills so many members that have events in hand, one after the other, while `load` is handled, and answers their names.
pub(crate) async fn consumers_are_killed(run: &mut Run, load: Load, kills: usize) -> Vec<String> {
    declare(run, &ROLE).await;
    let mut members: Vec<_> = (0..MEMBERS).map(|_| run.child("consumer", ROLE)).collect();
    let publishing = run.publish(load).await;
    let mut killed = Vec::new();
    for kill in 0..kills {
        run.until_acked(10 + kill * 75 / kills).await;
        run.until("a member has events in hand", |ledger| !at_work(&members, ledger).is_empty()).await;
        let at_work = at_work(&members, &run.ledger);
        let victim = at_work[run.random.usize(..at_work.len())];
        killed.push(members[victim].name.clone());
        run.kill(&mut members[victim]);
        members[victim] = run.child("consumer", ROLE);
    }
    run.over(publishing).await;
    run.until_handled().await;
    for mut member in members {
        member.stop();
        run.until_ended(&mut member).await;
    }
    run.note(format!("{} members killed", killed.len()));
    killed
}

/// The members that have handled some and have some in hand.
fn at_work(members: &[Child], ledger: &Ledger) -> Vec<usize> {
    let is_at_work = |name: &str| ledger.settled_by(name) > 0 && ledger.open_at(name) > 0;
    (0..members.len()).filter(|member| is_at_work(&members[*member].name)).collect()
}
