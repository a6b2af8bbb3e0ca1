//! Settling where each event is to have its effect exactly once: a delivery is settled, and its outputs or its dead letter
//! stored, under one lock, and only when its turn comes: when everything earlier in its partition is settled.
//!
//! So nothing is stored of what could come again. What waits is kept by the futures that wait; when the partition moves,
//! the member goes or the transport is closed, they end, and the delivery comes again.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jitney_core::Error;
use jitney_core::dead_letter;
use jitney_core::transport::{Settle, SettleError, Settlement, Token};

use super::{MemorySettler, all_failed, closed};
use crate::error;
use crate::gate::Ticket;
use crate::publisher::Limit;
use crate::state::Locked;
use crate::transaction::{Offered, Part};
use crate::turns::Turn;

impl MemorySettler {
    pub(super) async fn settle_in_turn(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        if self.connection.is_closed() {
            return Err(all_failed(settlements, closed));
        }
        if self.shared.with(|locked| self.meet_faults(locked, &settlements)) {
            return Ok(());
        }
        let mut results: Vec<_> = settlements.iter().map(|_| None).collect();
        let one_by_one = settlements.iter().enumerate();
        let mut waiting: FuturesUnordered<_> =
            one_by_one.map(|(index, one)| self.settle_one(one).map(move |result| (index, result))).collect();
        while let Some((index, result)) = waiting.next().await {
            let failed = result.is_err();
            results[index] = Some(result);
            if failed {
                // It is settled again only when this has returned, and what waits may wait for it.
                break;
            }
        }
        drop(waiting);
        let results =
            results.into_iter().map(|result| result.unwrap_or_else(|| Err(error::another_failed())));
        let failed = settlements.into_iter().zip(results);
        let failed: Vec<_> = failed.filter_map(|(one, result)| Some((one, result.err()?))).collect();
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
    }

    /// Answers whether the member has crashed, so that nothing can be settled.
    fn meet_faults(&self, locked: &mut Locked<'_>, settlements: &[Settlement]) -> bool {
        if !locked.shared.dice.on_deliveries() {
            return false;
        }
        let Some((group, mut cx)) = locked.group(self.group) else { return false };
        if settlements.iter().any(|one| group.member_crashes(self.member, one.token, &mut cx)) {
            return true;
        }
        for Settlement { token, .. } in settlements.iter().filter(|one| matches!(one.settle, Settle::Ack)) {
            group.ack_is_lost(self.member, *token, &mut cx);
        }
        false
    }

    async fn settle_one(&self, settlement: &Settlement) -> Result<(), Error> {
        let token = settlement.token;
        if self.until(token, |turn| turn != Turn::Later).await == Turn::Over {
            return self.over();
        }
        let parts = parts(settlement);
        let conclude = |locked: &mut Locked<'_>, ticket: Option<&Ticket>| {
            self.conclude(locked, settlement, &parts, ticket)
        };
        match self.shared.with(|locked| conclude(locked, None)) {
            Ok(result) => result,
            Err(ticket) => {
                let concluded = self.shared.in_turn(ticket, |locked, ticket| conclude(locked, Some(ticket)));
                match select(pin!(concluded), pin!(self.until(token, |turn| turn == Turn::Over))).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => self.over(),
                }
            }
        }
    }

    /// Waits for a turn of `token` for which `wanted` is true.
    async fn until(&self, token: Token, wanted: impl Fn(Turn) -> bool) -> Turn {
        poll_fn(|cx| {
            self.shared.with(|locked| {
                let Some((group, _)) = locked.group(self.group) else { return Poll::Ready(Turn::Over) };
                let turn = group.turn(self.member, token);
                if wanted(turn) {
                    return Poll::Ready(turn);
                }
                group.wait_for_turn(self.member, token, cx.waker());
                Poll::Pending
            })
        })
        .await
    }

    /// Settles a delivery whose turn it is, and stores `parts`: both or none.
    fn conclude(
        &self,
        locked: &mut Locked<'_>,
        settlement: &Settlement,
        parts: &[Part],
        ticket: Option<&Ticket>,
    ) -> Result<Result<(), Error>, Ticket> {
        let token = settlement.token;
        let Some((group, _)) = locked.group(self.group) else { return Ok(Ok(())) };
        if group.turn(self.member, token) != Turn::Now {
            return Ok(Ok(()));
        }
        let is_empty = parts.is_empty() || group.is_twin(self.member, token);
        let Offered { published, is_stored } =
            if is_empty { Offered::STORED } else { locked.offer_as_one(&self.connection, parts, ticket)? };
        if is_stored && let Some((group, mut cx)) = locked.group(self.group) {
            group.settle(self.member, token, &settlement.settle, &mut cx);
        }
        Ok(published.into_result())
    }

    /// What is said of a delivery that cannot be settled any more.
    fn over(&self) -> Result<(), Error> {
        if self.connection.is_closed() { Err(closed()) } else { Ok(()) }
    }
}

/// What is stored with a settlement.
fn parts(settlement: &Settlement) -> Vec<Part> {
    let outputs = settlement.outputs.iter().map(|outbound| Part::new(outbound.message.clone()));
    let letter = match &settlement.settle {
        Settle::DeadLetter(letter) => {
            let message = letter.to_message(dead_letter::topic(&letter.failure.group));
            Some(Part { message, limit: Limit::None })
        }
        Settle::Ack | Settle::Retry { .. } => None,
    };
    outputs.chain(letter).collect()
}
