//! The answering half of a membership.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jitney_core::transport::{Epoch, Settle, SettleError, Settlement, Settler, Token};
use jitney_core::{Error, ErrorKind};

use crate::error;
use crate::member::{Held, Member};
use crate::queue::{BATCH, Failed};

/// No message is hidden for longer than this after it was received.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// Settles what was delivered to one member.
pub(crate) struct SqsSettler {
    member: Arc<Member>,
}

/// A settlement of a delivery that is in force.
struct Open {
    settlement: Settlement,
    held: Held,
}

impl SqsSettler {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        SqsSettler { member }
    }

    /// Those of `settlements` whose deliveries are in force; what the queue has taken back is its own.
    fn open(&self, settlements: Vec<Settlement>) -> Vec<Open> {
        let (state, now) = (self.member.lock(), self.member.env.instant());
        let open = |settlement: Settlement| {
            let held = state.holder(settlement.token, self.member.epoch, now)?.clone();
            Some(Open { settlement, held })
        };
        settlements.into_iter().filter_map(open).collect()
    }

    /// Does one part of a settling, ten at a time, and answers those that failed.
    async fn in_batches<F>(
        &self,
        all: Vec<Open>,
        part: impl Fn(Vec<(String, Duration)>) -> F,
    ) -> Vec<(Settlement, Error)>
    where
        F: Future<Output = Vec<Failed>>,
    {
        let mut batches: Vec<Vec<Open>> = Vec::new();
        for open in all {
            match batches.last_mut() {
                Some(last) if last.len() < BATCH => last.push(open),
                _ => batches.push(vec![open]),
            }
        }
        let asked = batches.iter().map(|batch| {
            part(batch.iter().map(|open| (open.held.receipt.clone(), self.delay(open))).collect())
        });
        let mut failed = Vec::new();
        for (batch, answers) in batches.iter().zip(join_all(asked).await) {
            for (index, open) in batch.iter().enumerate() {
                match answers.iter().find(|answer| answer.index == index) {
                    Some(answer) if !answer.is_gone => {
                        failed.push((open.settlement.clone(), answer.error(&self.member.group)));
                    }
                    Some(_) | None => self.member.settled(open.settlement.token.number),
                }
            }
        }
        failed
    }

    /// How long a delivery is to be hidden that is handed back.
    fn delay(&self, open: &Open) -> Duration {
        let Settle::Retry { after } = open.settlement.settle else { return Duration::ZERO };
        let so_far = self.member.env.instant().saturating_duration_since(open.held.received);
        let most = LONGEST.saturating_sub(so_far + Duration::from_secs(1));
        after.min(most)
    }

    /// Stores dead letters, and answers what is done with that and what could not be.
    async fn bury(&self, letters: Vec<Open>) -> (Vec<Open>, Vec<(Settlement, Error)>) {
        let sent = letters.iter().map(|open| async {
            match &open.settlement.settle {
                Settle::DeadLetter(letter) => self.member.queue.bury(letter).await,
                Settle::Ack | Settle::Retry { .. } => Ok(()),
            }
        });
        let sent = join_all(sent).await;
        let (mut buried, mut failed) = (Vec::new(), Vec::new());
        for (open, sent) in letters.into_iter().zip(sent) {
            match sent {
                Ok(()) => buried.push(open),
                Err(error) => failed.push((open.settlement, error)),
            }
        }
        (buried, failed)
    }
}

#[async_trait]
impl Settler for SqsSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        if self.member.lock().is_over {
            let failed = |settlement| (settlement, error::closed("settling a delivery"));
            return Err(SettleError { failed: settlements.into_iter().map(failed).collect() });
        }
        let (mut acks, mut retries, mut letters) = (Vec::new(), Vec::new(), Vec::new());
        for open in self.open(settlements) {
            match open.settlement.settle {
                Settle::Ack => acks.push(open),
                Settle::Retry { .. } => retries.push(open),
                Settle::DeadLetter(_) => letters.push(open),
            }
        }
        let mut failed = Vec::new();
        if !letters.is_empty() {
            let (buried, not_buried) = self.bury(letters).await;
            failed.extend(not_buried);
            acks.extend(buried);
        }
        let queue = &self.member.queue;
        failed.extend(self.in_batches(retries, |batch| queue.hide(batch)).await);
        failed.extend(self.in_batches(acks, |batch| queue.delete(batch)).await);
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
    }

    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error> {
        let (queue, env) = (&self.member.queue, &self.member.env);
        let held: Vec<(u64, String)> = {
            let (state, now) = (self.member.lock(), env.instant());
            let held = tokens.iter().filter_map(|token| {
                let held = state.holder(*token, self.member.epoch, now)?;
                Some((token.number, held.receipt.clone()))
            });
            held.collect()
        };
        let until = env.instant() + queue.visibility;
        let asked = held.chunks(BATCH).map(|batch| {
            queue.hide(batch.iter().map(|(_, receipt)| (receipt.clone(), queue.visibility)).collect())
        });
        let mut result = Ok(());
        for (batch, failed) in held.chunks(BATCH).zip(join_all(asked).await) {
            for (index, (number, _)) in batch.iter().enumerate() {
                match failed.iter().find(|failed| failed.index == index) {
                    None => self.member.lock().prolong(*number, until),
                    Some(failed) if failed.is_gone => self.member.settled(*number),
                    Some(failed) => result = Err(failed.error(&self.member.group)),
                }
            }
        }
        result
    }

    async fn release(&self, _epoch: Epoch) {
        // Nothing is ever revoked.
    }

    async fn leave(&self, limit: Duration) -> Result<(), Error> {
        self.member.leave();
        self.member.env.timeout(limit, self.member.left()).await.map_err(|_| {
            let what = format!(
                "leaving group `{}`: what is not settled was not given back within {limit:?}; the queue takes it back \
                 by itself",
                self.member.group
            );
            Error::new(ErrorKind::Transport, what)
        })
    }
}

impl fmt::Debug for SqsSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsSettler").field("group", &self.member.group).finish_non_exhaustive()
    }
}
