//! Members leave in good order, and others take over.

use jitney_testkit::history::{Expectations, What};

use super::backend::CALM;
use super::scenario::on_server;
use crate::faults::child::Role;
use crate::faults::ledger::{Ledger, is_of};
use crate::faults::load::Load;
use crate::faults::run::Run;
use crate::faults::scenario::declare;

const ROUNDS: usize = 4;
const ROLE: Role = Role::Handle { least: 5, most: 60 };

#[test]
fn the_active_member_leaves_and_the_next_goes_on_in_order() {
    on_server(
        "rabbitmq_faults::members_leave::the_active_member_leaves_and_the_next_goes_on_in_order",
        async |run, server| {
            run.url = format!("{}/?{CALM}", server.url());
            left(run, &Expectations::default()).await;
        },
    );
}

#[test]
fn one_of_two_members_leaves_and_the_other_goes_on() {
    on_server(
        "rabbitmq_faults::members_leave::one_of_two_members_leaves_and_the_other_goes_on",
        async |run, server| {
            run.url = format!("{}/?{CALM}&order=none", server.url());
            left(run, &Expectations::default().ordered(false)).await;
        },
    );
}

/// Two members, of which one after the other leaves in the middle of its work; nothing is broken, so that nothing comes
/// again that was settled.
async fn left(run: &mut Run, expectations: &Expectations) {
    declare(run, &ROLE).await;
    let mut first = run.child("member", ROLE);
    let publishing = run.publish(Load::new(4_500, 450)).await;
    for round in 0..ROUNDS {
        run.until_at_work(&first.name).await;
        let second = run.child("member", ROLE);
        run.until("another one is there", |ledger| has_joined(ledger, &second.name)).await;
        run.until_acked(15 + round * 70 / ROUNDS).await;
        run.until("a member has events in hand", |ledger| ledger.open_at(&first.name) > 0).await;
        run.landmark("a member leaves");
        first.stop();
        run.until_ended(&mut first).await;
        first = second;
    }
    run.over(publishing).await;
    run.until_handled().await;
    first.stop();
    run.until_ended(&mut first).await;
    run.judge(&expectations.clone().clock_slack(Run::CLOCK_SLACK));
}

fn has_joined(ledger: &Ledger, process: &str) -> bool {
    let joins = |what: &What| matches!(what, What::Joined { member, .. } if is_of(member, process));
    ledger.records().iter().any(|record| joins(&record.what))
}
