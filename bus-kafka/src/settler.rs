//! The answering half of a membership.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jitney_core::dead_letter;
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{Epoch, Settle, SettleError, Settlement, Settler, Token};
use jitney_core::{Error, ErrorKind};

use crate::member::{Command, Member};
use crate::publisher::Publisher;
use crate::window::Window;
use crate::{aside, error, retry_topics};

/// Settles what was delivered to one member.
pub(crate) struct KafkaSettler {
    member: Arc<Member>,
    /// Stores what is put aside.
    aside: Arc<Publisher>,
    /// Settlements are stored in transactions, where the group is exactly once.
    window: Option<Arc<Window>>,
    /// The cluster's group is this member's alone, and goes with it.
    is_broadcast: bool,
}

impl KafkaSettler {
    pub(crate) fn new(
        member: Arc<Member>,
        aside: Arc<Publisher>,
        window: Option<Arc<Window>>,
        is_broadcast: bool,
    ) -> Self {
        KafkaSettler { member, aside, window, is_broadcast }
    }

    /// Acknowledges at once; answers what has to be stored elsewhere first.
    fn acknowledge(&self, settlements: Vec<Settlement>) -> Vec<Settlement> {
        let mut state = self.member.lock();
        let mut is_waited_for = false;
        let mut others = Vec::new();
        for settlement in settlements {
            match settlement.settle {
                Settle::Ack => is_waited_for |= state.settle(settlement.token),
                Settle::Retry { .. } | Settle::DeadLetter(_) => others.push(settlement),
            }
        }
        drop(state);
        if is_waited_for {
            self.member.task.wake();
        }
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
        let outcomes = self.aside.publish(&batch).await;
        for (settlement, outcome) in put_aside.into_iter().zip(outcomes) {
            match outcome.into_result() {
                Ok(()) => self.member.settle(settlement.token),
                Err(error) => failed.push((settlement, error)),
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
    }

    /// What is to be stored beside for a delivery that is unsettled.
    fn aside(&self, token: Token, settle: &Settle) -> Result<Option<Message>, Error> {
        let mut state = self.member.lock();
        let Some(partition) = state.holder(token) else { return Ok(None) };
        match settle {
            Settle::Ack => Ok(None),
            Settle::DeadLetter(letter) => {
                let letter = letter.to_message(dead_letter::topic(&letter.failure.group));
                Ok(Some(aside::dated(letter, self.member.cluster.env.now())))
            }
            Settle::Retry { after } => {
                let held = partition.held(token.number).ok_or_else(|| {
                    let what = format!(
                        "handing a delivery back to group `{}`: the subscription did not ask for delayed retries, and has no \
                         topics for them",
                        self.member.group
                    );
                    Error::new(ErrorKind::Unsupported, what)
                })?;
                let now = self.member.cluster.env.now();
                Ok(Some(retry_topics::message(&held, &self.member.group, *after, now)))
            }
        }
    }

    /// Whether the cluster has a place for `outputs`.
    async fn can_be_stored(&self, outputs: &[Outbound]) -> Result<(), Error> {
        let cluster = &self.member.cluster;
        let most = cluster.config.max_message_bytes;
        for output in outputs {
            let (topic, size) = (&output.message.topic, output.message.size());
            if size > most {
                let what = format!(
                    "storing an output for topic `{topic}`: it has {size} bytes with key and headers, and {most} are allowed; \
                     raise `max_message_bytes`, or publish a reference to large data"
                );
                return Err(Error::new(ErrorKind::Rejected, what));
            }
            cluster.topics_exist(&[topic]).await.map_err(|source| {
                let what = format!("storing an output for topic `{topic}`: {source}");
                Error::new(ErrorKind::Settle, what).with_source(source)
            })?;
        }
        Ok(())
    }

    /// Stores settlements with their outputs in the next transaction.
    async fn in_transaction(&self, window: &Window, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let mut failed = Vec::new();
        let mut waiting = BTreeMap::new();
        let mut answers = FuturesUnordered::new();
        for (index, settlement) in settlements.into_iter().enumerate() {
            if let Err(error) = self.can_be_stored(&settlement.outputs).await {
                failed.push((settlement, error));
                continue;
            }
            match self.aside(settlement.token, &settlement.settle) {
                Ok(aside) => {
                    let outputs = settlement.outputs.iter().map(|outbound| outbound.message.clone());
                    let messages = outputs.chain(aside).collect();
                    if let Some(stored) = window.add(settlement.token, messages) {
                        waiting.insert(index, settlement);
                        answers.push(stored.map(move |stored| (index, stored)));
                    }
                }
                Err(error) => failed.push((settlement, error)),
            }
        }
        while let Some((index, stored)) = answers.next().await {
            let settlement = waiting.remove(&index);
            // Without an answer the partition was lost, and the settlement has no effect.
            if let (Ok(Err(error)), Some(settlement)) = (stored, settlement) {
                failed.push((settlement, error));
                // Those behind it wait until it is decided anew, which nobody can before this returns.
                let behind =
                    "storing a settlement: it waits for an earlier one of its partition, which was refused";
                let waits = || Error::new(ErrorKind::Settle, behind);
                failed.extend(waiting.into_values().map(|settlement| (settlement, waits())));
                break;
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
    }
}

#[async_trait]
impl Settler for KafkaSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        if self.member.lock().is_over {
            let failed = |settlement| (settlement, error::closed("settling a delivery"));
            return Err(SettleError { failed: settlements.into_iter().map(failed).collect() });
        }
        if let Some(window) = &self.window {
            return self.in_transaction(window, settlements).await;
        }
        let others = self.acknowledge(settlements);
        if others.is_empty() {
            return Ok(());
        }
        // Boxed: most calls have nothing to store, and need not carry the room for this.
        Box::pin(self.put_aside(others)).await
    }

    async fn keep_alive(&self, _tokens: &[Token]) -> Result<(), Error> {
        // The driver polls, whatever handlers do.
        Ok(())
    }

    async fn release(&self, epoch: Epoch) {
        self.member.lock().release(epoch);
        self.member.tell(Command::Look);
    }

    async fn leave(&self, limit: Duration) -> Result<(), Error> {
        let cluster = &self.member.cluster;
        let left = cluster.env.timeout(limit, self.member.leave()).await;
        if left.is_err() {
            let group = &self.member.group;
            let what = format!(
                "leaving group `{group}` of {}: not done within {limit:?}; the cluster will find out by itself",
                cluster.config.describe()
            );
            return Err(Error::new(ErrorKind::Transport, what));
        }
        if self.is_broadcast {
            // Where it stays, the cluster forgets it some days after its last commit.
            cluster.forget_group(&self.member.group).await;
        }
        Ok(())
    }
}

impl fmt::Debug for KafkaSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettler").field("group", &self.member.group).finish_non_exhaustive()
    }
}
