//! A broker without space.

use jitney_test_servers::ThrowAway;
use tokio::task::block_in_place;

use super::backend::QUICK_GROUPS;
use super::scenario::on_throw_away;
use crate::faults::child::Role;
use crate::faults::load::Load;
use crate::faults::run::{HEALING, PATIENCE, Run};

const MIB: u64 = 1024 * 1024;

#[test]
fn what_a_full_disk_does_not_take_is_not_acked_and_what_it_took_is_there() {
    // The broker ends when it cannot write. 45 MB do not fit.
    let node = ThrowAway::new("faults-full-disk").small_disk(24 * MIB);
    let test =
        "kafka_faults::full_disk::what_a_full_disk_does_not_take_is_not_acked_and_what_it_took_is_there";
    on_throw_away(test, &node, async |run, node| {
        run.url = format!("{}/?{QUICK_GROUPS}&publish_timeout=3s", node.url());
        let handling = run.app("consumer", Role::Handle { least: 0, most: 5 }).await;
        let publishing = run.publish(Load { padding: 15_000, ..Load::new(3_000, 200) }).await;
        assert!(block_in_place(|| node.ended(PATIENCE)), "45 MB fit on a disk of 24 MiB");
        run.fault("the disk is full, and the broker has ended");
        run.until("what was not acked is reported so", |ledger| ledger.not_acked() > 0).await;
        block_in_place(|| {
            node.enlarge_disk(1024 * MIB).unwrap();
            node.start().unwrap();
            node.wait_ready(HEALING).unwrap();
        });
        let acked = run.ledger.acked();
        run.until("publishing goes on", |ledger| ledger.acked() > acked + 100).await;
        run.over(publishing).await;
        run.until_handled().await;
        handling.shutdown().await.unwrap();
        run.note(format!("{} were not acked", run.ledger.not_acked()));
        run.judge(&Run::expectations());
    });
}
