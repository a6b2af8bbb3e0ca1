//! Producers die between publishing and the answers.

use super::scenario::on_server;
use crate::faults::load::Load;
use crate::faults::producers_killed::producers_are_killed;

#[test]
fn what_a_killed_producer_was_told_is_stored() {
    let test = "eventbridge_faults::producers_killed::what_a_killed_producer_was_told_is_stored";
    on_server(test, async |run, _| producers_are_killed(run, &Load::new(1_500, 400)).await);
}
