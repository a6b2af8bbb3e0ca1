//! What handlers publish, while their processes and the server die.

use std::collections::HashSet;

use jitney_testkit::history::{EventRef, PublishOutcome, What};

use super::scenario::{on, on_server};
use crate::faults::child::Role;
use crate::faults::events::OUTPUTS;
use crate::faults::ledger::Ledger;
use crate::faults::load::Load;
use crate::faults::run::{HEALING, Run};
use crate::faults::scenario::declare;

const KILLS: usize = 6;
const ROLE: Role = Role::Derive { least: 0, most: 20 };

#[test]
fn an_input_is_acked_only_when_its_output_is_stored() {
    on_server(
        "rabbitmq_faults::outputs::an_input_is_acked_only_when_its_output_is_stored",
        async |run, server| {
            declare(run, &ROLE).await;
            let mut member = run.child("deriving", ROLE);
            let publishing = run.publish(Load::new(3_000, 300)).await;
            for kill in 0..KILLS {
                run.until_acked(15 + kill * 70 / KILLS).await;
                let name = member.name.clone();
                run.until("a member is at work", |ledger| {
                    ledger.settled_by(&name) > 0 && ledger.open_at(&name) > 0
                })
                .await;
                if kill == KILLS / 2 {
                    run.fault("SIGKILL of the server");
                    on(server, |server| server.kill());
                    run.broken("the server is dead");
                    on(server, |server| server.start());
                    on(server, |server| server.wait_ready(HEALING));
                    run.until_it_goes_on(300).await;
                    run.fault("the server is back");
                } else {
                    run.kill(&mut member);
                    member = run.child("deriving", ROLE);
                }
            }
            run.over(publishing).await;
            run.until_handled().await;
            run.until("all outputs are handled", |ledger| {
                let Outputs { stored, handled } = Outputs::of(ledger);
                stored.is_subset(&handled)
            })
            .await;
            member.stop();
            run.until_ended(&mut member).await;
            let stored = Outputs::of(&run.ledger).stored;
            let inputs = run.ledger.acked();
            // Each event that was acked has been handled, and acked after its output.
            assert!(stored.len() >= inputs, "{inputs} inputs have {} outputs", stored.len());
            run.note(format!("{} outputs", stored.len()));
            run.judge(&Run::expectations());
        },
    );
}

/// The outputs of all handlers so far.
struct Outputs<'l> {
    /// Those that the server has confirmed.
    stored: HashSet<&'l EventRef>,
    /// Those that were delivered.
    handled: HashSet<&'l EventRef>,
}

impl<'l> Outputs<'l> {
    fn of(ledger: &'l Ledger) -> Self {
        let records = || ledger.records().iter().map(|record| &record.what);
        let stored = |what: &'l What| match what {
            What::Published { event, outcome: PublishOutcome::Acked } => Some(event),
            _ => None,
        };
        let delivered = |what: &'l What| match what {
            What::Delivered { arrival, .. } => Some(&arrival.event),
            _ => None,
        };
        let is_output = |event: &&EventRef| event.topic == OUTPUTS;
        Outputs {
            stored: records().filter_map(stored).filter(is_output).collect(),
            handled: records().filter_map(delivered).filter(is_output).collect(),
        }
    }
}
