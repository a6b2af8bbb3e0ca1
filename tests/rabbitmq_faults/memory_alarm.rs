//! The server is short of memory, and takes nothing more from those who publish.

use std::time::Duration;

use super::scenario::{on, on_server};
use crate::faults::child::Role;
use crate::faults::disturbed::disturbed;
use crate::faults::ledger::Ledger;
use crate::faults::load::Load;
use crate::faults::run::Run;

/// Less than `publish_timeout`, with the time that it takes to raise and to end an alarm.
const ALARMED: Duration = Duration::from_secs(8);

const PER_SECOND: u64 = 500;

#[test]
fn publishers_wait_for_the_end_of_an_alarm_and_nothing_is_lost() {
    let test = "rabbitmq_faults::memory_alarm::publishers_wait_for_the_end_of_an_alarm_and_nothing_is_lost";
    on_server(test, async |run, server| {
        disturbed(run, Load::new(6_000, PER_SECOND), async |run| {
            for percent in [20, 60] {
                run.until_acked(percent).await;
                on(server, |server| server.raise_memory_alarm());
                run.fault("a memory alarm");
                let acked = run.ledger.acked();
                run.env.sleep(ALARMED).await;
                // Those who consume go on.
                run.until("what the server has is handled", Ledger::all_handled).await;
                let taken = (run.ledger.acked() - acked) as u64;
                assert!(taken < PER_SECOND, "the server took {taken} messages though it was short of memory");
                on(server, |server| server.clear_memory_alarm());
                run.until_it_goes_on(500).await;
                run.fault("the end of a memory alarm");
            }
        })
        .await;
        assert_eq!(run.ledger.not_acked(), 0, "the alarm was shorter than `publish_timeout`");
    });
}

#[test]
fn nobody_waits_for_longer_than_the_publish_timeout() {
    let test = "rabbitmq_faults::memory_alarm::nobody_waits_for_longer_than_the_publish_timeout";
    on_server(test, async |run, server| {
        run.url = format!("{}/?heartbeat=2s&publish_timeout=2s", server.url());
        let handling = run.app("consumer", Role::Handle { least: 0, most: 5 }).await;
        let publishing = run.publish(Load::new(5_000, PER_SECOND)).await;
        run.until_acked(30).await;
        on(server, |server| server.raise_memory_alarm());
        run.fault("a memory alarm");
        run.until("what waits for too long is answered so", |ledger| ledger.not_acked() > 0).await;
        on(server, |server| server.clear_memory_alarm());
        run.fault("the end of a memory alarm");
        run.until_it_goes_on(500).await;
        run.over(publishing).await;
        run.until_handled().await;
        handling.shutdown().await.unwrap();
        run.note(format!("{} were not acked", run.ledger.not_acked()));
        run.judge(&Run::expectations());
    });
}
