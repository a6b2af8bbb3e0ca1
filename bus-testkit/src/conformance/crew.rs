//! Several members that are driven together.

use std::future::poll_fn;
use std::task::Poll;

use jitney_core::Env;

use super::failure::{Failure, Outcome};
use super::member::{DEMAND, Got, Member};

/// Members that are polled in turn, so that none waits for another.
pub(super) struct Crew {
    pub(super) members: Vec<Member>,
    next: usize,
}

impl Crew {
    pub(super) fn new(members: Vec<Member>) -> Self {
        Crew { members, next: 0 }
    }

    /// Whichever deliveries come first, with the place of their member.
    pub(super) async fn take(&mut self, env: &Env, patience: std::time::Duration) -> Outcome<(usize, Vec<Got>)> {
        let Crew { members, next } = self;
        let polled = poll_fn(|cx| {
            for turn in 0..members.len() {
                let place = (*next + turn) % members.len();
                match members[place].poll(cx, DEMAND) {
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
        let waited = env.timeout(patience, polled).await;
        waited.unwrap_or_else(|_| Err(Failure(format!("waited {patience:?} in vain for any member's delivery"))))
    }
}
