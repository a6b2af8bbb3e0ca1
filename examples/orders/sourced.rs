//! The services of sourced orders: each does its part, and tells the order, which decides what that means for it.
//!
//! Without a store a service says what has happened, and all believe it. With one, only the order says so: what it decides
//! is appended to its stream, and goes through the store's outbox to the bus, where the next service waits for it. So no
//! event is on the bus that is not in the store, and whatever is in the store comes to the bus.
//!
//! The bus delivers at least once. So a command has an id that follows from the event that caused it: a service that sees the
//! event again asks again, and the order has done it already.

use jitney::prelude::*;
use jitney::sourcing::HandleError;

use super::events::{
    OrderCreated, OrderProgress, OrderRefused, PaymentDeclined, PaymentTaken, PlaceOrder, StockReleased,
    StockReserved,
};
use super::order::{Command, Order};
use super::payment::declined;
use super::stock::Stock;

/// Where the orders are.
pub type Orders = Repository<Order>;

/// Tells the order of `cause` to do `command`, once, however often the cause is delivered.
pub async fn tell<E>(orders: &Orders, cause: &Envelope<E>, command: Command) -> jitney::Result<()> {
    let command_id = cause.event_id().derive(command.name(), 0);
    let request = orders.request().caused_by(cause).command_id(command_id);
    request.handle(cause.aggregate_id(), command).await?;
    Ok(())
}

/// A command from the desk has an id of its own. A refusal is an answer, and no event of the order: nothing has happened to it.
#[handler(group = "intake", concurrency = 32, idempotent)]
pub async fn place_order(
    command: Envelope<PlaceOrder>,
    State(orders): State<Orders>,
) -> jitney::Result<Option<OrderRefused>> {
    let request = orders.request().caused_by(&command).command_id(command.event_id().clone());
    let order_id = command.order_id.clone();
    match request.handle(&*order_id, Command::Place(command.payload().clone())).await {
        Ok(_) => Ok(None),
        Err(HandleError::Rejected(refusal)) => {
            Ok(Some(OrderRefused { order_id, reason: refusal.to_string() }))
        }
        Err(HandleError::Store(error)) => Err(error.into()),
    }
}

pub struct SourcedStock;

#[handler(group = "stock", concurrency = 32, idempotent)]
impl SourcedStock {
    #[handler]
    async fn reserve(
        &self,
        order: Envelope<OrderCreated>,
        State(stock): State<Stock>,
        State(orders): State<Orders>,
    ) -> jitney::Result<()> {
        stock.reserve(&order.order_id, &order.items);
        tell(&orders, &order, Command::Reserve).await
    }

    #[handler]
    async fn release(
        &self,
        declined: Envelope<PaymentDeclined>,
        State(stock): State<Stock>,
        State(orders): State<Orders>,
    ) -> jitney::Result<()> {
        stock.release(&declined.order_id);
        tell(&orders, &declined, Command::Release).await
    }
}

#[handler(group = "payment", concurrency = 32, idempotent)]
pub async fn settle_payment(
    reserved: Envelope<StockReserved>,
    State(orders): State<Orders>,
) -> jitney::Result<()> {
    let command = match declined(reserved.amount) {
        Some(reason) => Command::Decline { reason },
        None => Command::Pay,
    };
    tell(&orders, &reserved, command).await
}

pub struct SourcedFulfilment;

#[handler(group = "fulfilment", concurrency = 32, idempotent)]
impl SourcedFulfilment {
    #[handler]
    async fn confirm(
        &self,
        paid: Envelope<PaymentTaken>,
        State(orders): State<Orders>,
    ) -> jitney::Result<()> {
        tell(&orders, &paid, Command::Confirm).await
    }

    #[handler]
    async fn cancel(
        &self,
        released: Envelope<StockReleased>,
        State(orders): State<Orders>,
    ) -> jitney::Result<()> {
        tell(&orders, &released, Command::Cancel).await
    }

    #[handler]
    async fn ship(
        &self,
        progress: Envelope<OrderProgress>,
        State(orders): State<Orders>,
    ) -> jitney::Result<()> {
        match &*progress {
            OrderProgress::Confirmed { shipped_at: Some(_), .. } => {
                tell(&orders, &progress, Command::Ship).await
            }
            _ => Ok(()),
        }
    }
}
