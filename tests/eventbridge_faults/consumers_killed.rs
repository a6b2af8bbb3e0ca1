//! Consumers die in mid-batch.

use super::scenario::on_server;
use crate::faults::consumers_killed::consumers_are_killed;
use crate::faults::load::Load;
use crate::faults::run::Run;

const KILLS: usize = 10;

#[test]
fn what_a_killed_consumer_had_in_hand_comes_to_the_others() {
    let test = "eventbridge_faults::consumers_killed::what_a_killed_consumer_had_in_hand_comes_to_the_others";
    on_server(test, async |run, _| {
        let killed = consumers_are_killed(run, Load::new(3_000, 200), KILLS).await;
        run.judge(&Run::expectations());
        run.only_these_gave_away(&killed);
    });
}
