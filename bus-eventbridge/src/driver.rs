//! What keeps a member's source supplied: long polls, one while little comes and several while much does.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jitney_core::Error;

use crate::member::{Member, Task};
use crate::source::MAX_BATCH;

/// The most receives of a member that are under way at once.
const MAX_RECEIVES: usize = 8;
/// How long a receive waits after a failure, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Supplies the source of `member` until the member leaves; then gives back what is not settled.
///
/// A long poll is never cut off: SQS would hide what it is about to answer, and nobody would give it back. One that is still
/// under way when the member leaves ends by itself, and gives back what it got.
pub(crate) async fn drive(member: Arc<Member>) {
    let mut requests: FuturesUnordered<BoxFuture<'static, Ended>> = FuturesUnordered::new();
    let (mut receives, mut at_once) = (0, 1);
    let mut failures = 0;
    let given_back = loop {
        let most = if receives < at_once { MAX_BATCH } else { 0 };
        let wake = match member.next_task(most) {
            Task::End(given_back) => break given_back,
            Task::Receive(places) => {
                receives += 1;
                requests.push(receive(Arc::clone(&member), places).boxed());
                continue;
            }
            Task::Renew(receipts) => {
                requests.push(renew(Arc::clone(&member), receipts).boxed());
                continue;
            }
            Task::Wait(until) => until,
        };
        let told = async {
            match wake {
                // Beyond the time it is found out that nothing is held any more.
                Some(until) => drop(member.env.timeout_at(until, member.driver.notified()).await),
                None => member.driver.notified().await,
            }
        };
        if requests.is_empty() {
            told.await;
            continue;
        }
        if let Either::Left((Some(ended), _)) = select(requests.next(), pin!(told)).await {
            receives -= usize::from(!matches!(ended, Ended::Renewal));
            match ended {
                Ended::Renewal => {}
                Ended::Some { is_full } => {
                    failures = 0;
                    at_once = if is_full { (at_once + 1).min(MAX_RECEIVES) } else { at_once };
                }
                Ended::Nothing => (failures, at_once) = (0, 1),
                Ended::Failed(error) => {
                    failures += 1;
                    member.failed(error);
                    pause(&member, failures).await;
                }
            }
        }
    };
    member.queue.give_back(given_back).await;
    member.has_left();
    while requests.next().await.is_some() {}
}

/// How a request has ended.
enum Ended {
    Some { is_full: bool },
    Nothing,
    Failed(Error),
    Renewal,
}

async fn receive(member: Arc<Member>, places: usize) -> Ended {
    let answer = member.queue.receive(places, &member.interests, &member.env).await;
    member.free(places);
    let came = match answer {
        Ok(came) => came,
        Err(error) => return Ended::Failed(error),
    };
    let ended = match came.len() {
        0 => Ended::Nothing,
        count => Ended::Some { is_full: count == places },
    };
    let too_late = member.received(came);
    if !too_late.is_empty() {
        member.queue.give_back(too_late).await;
    }
    ended
}

/// Hides for longer what waits for the reader; what cannot be comes again.
async fn renew(member: Arc<Member>, receipts: Vec<String>) -> Ended {
    let until = member.env.instant() + member.queue.visibility;
    let asked = receipts.iter().map(|receipt| (receipt.clone(), member.queue.visibility));
    let failed = member.queue.hide(asked.collect()).await;
    let is_hidden = |index: usize| failed.iter().all(|failed| failed.index != index);
    let hidden = receipts.into_iter().enumerate().filter(|(index, _)| is_hidden(*index));
    let hidden: Vec<_> = hidden.map(|(_, receipt)| receipt).collect();
    member.renewed(&hidden, until);
    Ended::Renewal
}

/// Waits after so many failures in a row, unless the member leaves.
async fn pause(member: &Member, failures: u32) {
    let most = BACKOFF.0.saturating_mul(1 << failures.min(10)).min(BACKOFF.1);
    let deadline = member.env.instant() + member.env.random_up_to(most);
    while !member.lock().is_over && member.env.timeout_at(deadline, member.driver.notified()).await.is_ok() {}
}
