//! Consumers die in mid-batch.

use super::backend::CALM_GROUPS;
use super::scenario::on_three_nodes;
use crate::faults::child::Role;
use crate::faults::load::Load;
use crate::faults::run::Run;

const KILLS: usize = 10;
const MEMBERS: usize = 3;

#[test]
fn what_a_killed_consumer_had_in_hand_comes_to_others() {
    on_three_nodes(
        "kafka_faults::consumers_killed::what_a_killed_consumer_had_in_hand_comes_to_others",
        async |run, cluster| {
            run.url = format!("{}/?{CALM_GROUPS}", cluster.url());
            let role = Role::Handle { least: 5, most: 60 };
            let mut members: Vec<_> = (0..MEMBERS).map(|_| run.child("consumer", role.clone())).collect();
            let publishing = run.publish(Load::new(10_000, 450)).await;
            let mut killed = Vec::new();
            run.until_acked(10).await;
            for kill in 0..KILLS {
                run.until_acked(10 + kill * 75 / KILLS).await;
                let victim = run.random.usize(..members.len());
                let name = members[victim].name.clone();
                // In the middle of its work: it has handled some, and has some in hand.
                run.until(&format!("{name} has events in hand"), |ledger| {
                    ledger.settled_by(&name) > 0 && ledger.open_at(&name) > 0
                })
                .await;
                run.kill(&mut members[victim]);
                killed.push(name);
                members[victim] = run.child("consumer", role.clone());
            }
            run.over(publishing).await;
            run.until_handled().await;
            for mut member in members {
                member.stop();
                run.until_ended(&mut member).await;
            }
            run.judge(&Run::expectations().faults_undo_settlements(true));
            run.only_these_gave_away(&killed);
        },
    );
}
