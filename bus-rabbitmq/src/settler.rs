//! The answering half of a membership.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{Epoch, Settle, SettleError, Settlement, Settler, Token};
use jitney_core::{Error, ErrorKind, dead_letter};

use crate::member::Member;
use crate::publisher::Publisher;
use crate::{error, retry_queues};

/// Settles what was delivered to one member.
pub(crate) struct RabbitMqSettler {
    member: Arc<Member>,
    /// Stores what is put aside.
    aside: Arc<Publisher>,
}

impl RabbitMqSettler {
    pub(crate) fn new(member: Arc<Member>, aside: Arc<Publisher>) -> Self {
        RabbitMqSettler { member, aside }
    }

    /// Settles what the channel alone can settle; answers what has to be stored elsewhere first.
    fn settle_here(&self, settlements: Vec<Settlement>) -> Vec<Settlement> {
        let mut acks = BTreeMap::<Epoch, Vec<u64>>::new();
        let mut others = Vec::new();
        let mut state = self.member.lock();
        for settlement in settlements {
            let Token { epoch, number } = settlement.token;
            match settlement.settle {
                Settle::Ack => acks.entry(epoch).or_default().push(number),
                Settle::Retry { after } if after.is_zero() => {
                    if let Some(consumer) = state.holder(settlement.token) {
                        consumer.requeue(number);
                    }
                }
                Settle::Retry { .. } | Settle::DeadLetter(_) => others.push(settlement),
            }
        }
        for (epoch, mut tags) in acks {
            if let Some(consumer) = state.consumers.get_mut(&epoch) {
                consumer.ack(&mut tags);
            }
        }
        drop(state);
        // A member that is to begin anew does so when nothing is left.
        self.member.task.wake();
        others
    }

    /// Stores beside what cannot be done now, and settles it then.
    async fn put_aside(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let mut failed = Vec::new();
        let mut batch = Vec::new();
        let mut put_aside = Vec::new();
        for settlement in settlements {
            match self.aside(settlement.token, &settlement.settle) {
                Ok(Some(message)) => {
                    batch.push(Outbound { message, attributes: None });
                    put_aside.push(settlement);
                }
                Ok(None) => {}
                Err(error) => failed.push((settlement, error)),
            }
        }
        let outcomes = self.aside.publish(batch).await;
        let mut stored = Vec::new();
        for (settlement, outcome) in put_aside.into_iter().zip(outcomes) {
            match outcome.into_result() {
                Ok(()) => stored.push(Settlement::new(settlement.token, Settle::Ack)),
                Err(error) => {
                    let what = format!("putting a delivery aside for group `{}`: {error}", self.member.group);
                    failed.push((settlement, Error::new(ErrorKind::Settle, what).with_source(error)));
                }
            }
        }
        self.settle_here(stored);
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
    }

    /// What is to be stored beside for a delivery that is unsettled.
    fn aside(&self, token: Token, settle: &Settle) -> Result<Option<Message>, Error> {
        let mut state = self.member.lock();
        let Some(consumer) = state.holder(token) else { return Ok(None) };
        match settle {
            Settle::Ack => Ok(None),
            Settle::DeadLetter(letter) => {
                Ok(Some(letter.to_message(dead_letter::topic(&letter.failure.group))))
            }
            Settle::Retry { after } => {
                let group = &self.member.group;
                let held = consumer.held(token.number).ok_or_else(|| {
                    let what = format!(
                        "handing a delivery back to group `{group}`: the subscription did not ask for delayed retries, and has no \
                         queues for them"
                    );
                    Error::new(ErrorKind::Unsupported, what)
                })?;
                let now = self.member.link.env.now();
                Ok(Some(retry_queues::message(&held.message, held.attempt, group, *after, now)))
            }
        }
    }
}

#[async_trait]
impl Settler for RabbitMqSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        if self.member.lock().is_over {
            let failed = |settlement| (settlement, error::closed("settling a delivery"));
            return Err(SettleError { failed: settlements.into_iter().map(failed).collect() });
        }
        let others = self.settle_here(settlements);
        if others.is_empty() {
            return Ok(());
        }
        // Boxed: most calls have nothing to store, and need not carry the room for this.
        Box::pin(self.put_aside(others)).await
    }

    async fn keep_alive(&self, _tokens: &[Token]) -> Result<(), Error> {
        // The server has one limit, which nothing moves: the source hands everything back before it.
        Ok(())
    }

    async fn release(&self, epoch: Epoch) {
        self.member.release(epoch);
    }

    async fn leave(&self, limit: Duration) -> Result<(), Error> {
        let link = &self.member.link;
        link.env.timeout(limit, self.member.leave()).await.map_err(|_| {
            let what = format!(
                "leaving group `{}` of {}: not done within {limit:?}; the server will find out by itself",
                self.member.group,
                link.describe()
            );
            Error::new(ErrorKind::Transport, what)
        })
    }
}

impl fmt::Debug for RabbitMqSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqSettler").field("group", &self.member.group).finish_non_exhaustive()
    }
}
