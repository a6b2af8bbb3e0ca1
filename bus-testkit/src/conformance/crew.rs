//! Several members that are driven together.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use jitney_core::Env;
use jitney_core::transport::Demand;

use super::failure::{Failure, Outcome};
use super::member::{DEMAND, Got, Member};
use super::trial::Trial;

/// So little is taken at once that there is always something left under way.
const AT_ONCE: Demand = Demand { events: 32, ..DEMAND };

/// Members that are polled in turn, so that none waits for another.
pub(super) struct Crew {
    pub(super) members: Vec<Member>,
    next: usize,
}

impl Crew {
    pub(super) fn new(members: Vec<Member>) -> Self {
        Crew { members, next: 0 }
    }

    /// Whichever deliveries come first, with the place of their member; they must come.
    pub(super) async fn take(&mut self, trial: &Trial<'_>) -> Outcome<(usize, Vec<Got>)> {
        let patience = trial.fixture.patience();
        let taken = self.take_within(&trial.env, patience).await?;
        taken.ok_or_else(|| Failure(format!("waited {patience:?} in vain for any member's delivery")))
    }

    /// Whichever deliveries come first within `limit`, if any do.
    pub(super) async fn take_within(
        &mut self,
        env: &Env,
        limit: Duration,
    ) -> Outcome<Option<(usize, Vec<Got>)>> {
        let Crew { members, next } = self;
        let polled = poll_fn(|cx| {
            for turn in 0..members.len() {
                let place = (*next + turn) % members.len();
                match members[place].poll(cx, AT_ONCE) {
                    Poll::Ready(Ok(Some(got))) => {
                        *next = place + 1;
                        return Poll::Ready(Ok((place, got)));
                    }
                    Poll::Ready(Ok(None)) | Poll::Pending => {}
                    Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                }
            }
            Poll::Pending
        });
        env.timeout(limit, polled).await.ok().transpose()
    }
}
