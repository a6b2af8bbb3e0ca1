//! Producers die between publishing and the answers.

use super::scenario::on_three_nodes;
use crate::faults::load::Load;
use crate::faults::producers_killed::producers_are_killed;

#[test]
fn what_a_killed_producer_was_told_is_stored() {
    on_three_nodes(
        "kafka_faults::producers_killed::what_a_killed_producer_was_told_is_stored",
        async |run, _| producers_are_killed(run, &Load::new(4_000, 2_000)).await,
    );
}
