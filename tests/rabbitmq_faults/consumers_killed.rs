//! Consumers die in mid-batch.

use super::backend::CALM;
use super::scenario::on_server;
use crate::faults::consumers_killed::consumers_are_killed;
use crate::faults::load::Load;
use crate::faults::run::Run;

const KILLS: usize = 10;

#[test]
fn what_the_active_consumer_had_in_hand_comes_to_the_next_in_order() {
    let test =
        "rabbitmq_faults::consumers_killed::what_the_active_consumer_had_in_hand_comes_to_the_next_in_order";
    on_server(test, async |run, server| {
        run.url = format!("{}/?{CALM}", server.url());
        let killed = consumers_are_killed(run, Load::new(7_500, 450), KILLS).await;
        run.judge(&Run::expectations());
        run.only_these_gave_away(&killed);
    });
}

#[test]
fn what_one_of_several_consumers_had_in_hand_comes_to_the_others() {
    let test =
        "rabbitmq_faults::consumers_killed::what_one_of_several_consumers_had_in_hand_comes_to_the_others";
    on_server(test, async |run, server| {
        run.url = format!("{}/?{CALM}&order=none", server.url());
        let killed = consumers_are_killed(run, Load::new(7_500, 450), KILLS).await;
        run.judge(&Run::expectations().ordered(false));
        run.only_these_gave_away(&killed);
    });
}
