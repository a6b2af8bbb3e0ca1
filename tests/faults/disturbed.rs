//! Publishing and handling go on in several processes while something is broken.

use super::child::Role;
use super::load::Load;
use super::run::Run;
use crate::backend;

/// Publishes and handles `load` while `disturb` breaks things, and judges.
pub(crate) async fn disturbed(run: &mut Run, load: Load, disturb: impl AsyncFn(&mut Run)) {
    let handling = run.app("consumer", Role::Handle { least: 0, most: 20 }).await;
    let mut process = run.child("process", Role::Handle { least: 0, most: 20 });
    let publishing = run.publish(load).await;
    if backend::ALL_MEMBERS_WORK {
        run.until_at_work(&process.name).await;
    }
    run.until("a member is at work", |ledger| ledger.handled() > 0).await;
    disturb(run).await;
    run.over(publishing).await;
    run.until_handled().await;
    process.stop();
    run.until_ended(&mut process).await;
    handling.shutdown().await.unwrap();
    run.judge(&Run::expectations());
}
