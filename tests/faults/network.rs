//! Connections through one proxy are cut, slowed down, and left without a word.

use std::time::Duration;

use jitney_testkit::proxy::Proxy;

use super::disturbed::disturbed;
use super::load::Load;
use super::run::Run;

const CUT: Duration = Duration::from_secs(3);

/// Each piece comes so late, either way.
const SLOW: Duration = Duration::from_millis(50);

/// Breaks the connections that pass `proxy` in every way while `load` is published and handled through it, and judges.
/// Stalled for as long as `stalled`, both sides have given a connection up.
pub(crate) async fn connections_break(run: &mut Run, proxy: &Proxy, load: Load, stalled: Duration) {
    let more = load.per_second as usize;
    disturbed(run, load, async |run| {
        run.until_acked(12).await;
        run.fault("connections cut");
        proxy.cut();
        run.broken("connections are cut");
        run.env.sleep(CUT).await;
        proxy.restore();
        run.until_it_goes_on(more).await;
        run.fault("connections are back");

        run.until_acked(30).await;
        run.fault("connections cut, and at once back");
        proxy.cut();
        run.broken("connections are cut");
        proxy.restore();
        run.until_it_goes_on(more).await;
        run.fault("connections are back");

        run.until_acked(45).await;
        run.fault("connections slowed down");
        proxy.delay(SLOW);
        run.until_it_goes_on(more).await;
        proxy.delay(Duration::ZERO);

        run.until_acked(60).await;
        run.fault("connections stalled, then cut");
        proxy.stall();
        run.broken("connections are stalled");
        run.env.sleep(stalled).await;
        // What was on its way never arrives.
        proxy.cut();
        run.broken("connections are cut");
        proxy.restore();
        run.until_it_goes_on(more).await;
        run.fault("connections are back");

        run.until_acked(80).await;
        run.fault("answers held, then connections cut");
        proxy.hold_answers();
        run.broken("answers are held");
        run.env.sleep(CUT).await;
        proxy.cut();
        run.broken("connections are cut");
        proxy.restore();
        run.until_it_goes_on(more).await;
        run.fault("connections are back");
    })
    .await;
    assert_eq!(run.ledger.not_acked(), 0, "each was shorter than `publish_timeout`");
}
