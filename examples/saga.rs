//! A process manager: the way of an order through stock, payment and shipping, and back again where one of them fails.
//!
//! Everything runs here on the memory bus. In a service, `MemoryProcessStore` is `PostgresProcessStore::of(&store)`, and a relay
//! publishes from that store's outbox.

use std::convert::Infallible;
use std::time::Duration;

use jitney::memory::Memory;
use jitney::outbox::Relay;
use jitney::prelude::*;
use jitney::sourcing::process::{Actions, MemoryProcessStore, ProcessContext, ProcessManager, ProcessRunner};
use tokio::sync::mpsc;

/// Events and commands about an order, with nothing in them but its id.
macro_rules! events {
    ($($aggregate:literal: $($name:ident)*;)*) => {$($(
        #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
        #[event(aggregate = $aggregate, id = order)]
        pub(crate) struct $name { pub(crate) order: String }
    )*)*};
}

events! {
    "Order": OrderFulfilled;
    "Stock": ReserveStock StockReserved StockRefused ReleaseStock;
    "Payment": PaymentTaken PaymentRefused;
    "Shipment": ShipOrder OrderShipped ShippingRefused RecallShipment;
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order)]
pub(crate) struct OrderPlaced {
    pub(crate) order: String,
    pub(crate) cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Payment", id = order)]
pub(crate) struct TakePayment {
    pub(crate) order: String,
    pub(crate) cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Payment", id = order)]
pub(crate) struct RefundPayment {
    pub(crate) order: String,
    pub(crate) cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order)]
pub(crate) struct OrderCancelled {
    pub(crate) order: String,
    pub(crate) reason: String,
}

/// What the order flow follows.
#[derive(Debug, Clone, OneOf)]
pub(crate) enum Followed {
    Placed(OrderPlaced),
    Reserved(StockReserved),
    OutOfStock(StockRefused),
    Paid(PaymentTaken),
    NotPaid(PaymentRefused),
    Shipped(OrderShipped),
    NotShipped(ShippingRefused),
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Deadline {
    Stock,
    Payment,
    Shipping,
    /// For an answer that came too late.
    Late,
}

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) enum Step {
    #[default]
    Placing,
    Reserving,
    Paying,
    Shipping,
    /// It was given up when this answer did not come. The answer may come yet, and is to be undone then.
    GivenUp(Deadline),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct OrderFlow {
    pub(crate) step: Step,
    cents: u64,
}

impl ProcessManager for OrderFlow {
    type Input = Followed;
    type Deadline = Deadline;
    type Error = Infallible;
    const NAME: &'static str = "order_flow";

    fn key(input: &Followed) -> Option<String> {
        Some(match input {
            Followed::Placed(OrderPlaced { order, .. })
            | Followed::Reserved(StockReserved { order })
            | Followed::OutOfStock(StockRefused { order })
            | Followed::Paid(PaymentTaken { order })
            | Followed::NotPaid(PaymentRefused { order })
            | Followed::Shipped(OrderShipped { order })
            | Followed::NotShipped(ShippingRefused { order }) => order.clone(),
        })
    }

    fn starts(input: &Followed) -> bool {
        matches!(input, Followed::Placed(_))
    }

    fn handle(&mut self, input: Followed, cx: &ProcessContext<'_>) -> Result<Actions<Deadline>, Infallible> {
        use {Followed as F, Step as S};
        let (order, cents) = (cx.key().to_owned(), self.cents);
        Ok(match (self.step, input) {
            (S::Placing, F::Placed(placed)) => {
                (self.step, self.cents) = (S::Reserving, placed.cents);
                Actions::new().send(&ReserveStock { order }).schedule(Deadline::Stock, minutes(10))
            }
            (S::Reserving, F::Reserved(_)) => {
                self.step = S::Paying;
                Actions::new()
                    .cancel(Deadline::Stock)
                    .compensate_with(&ReleaseStock { order: order.clone() })
                    .send(&TakePayment { order, cents })
                    .schedule(Deadline::Payment, minutes(60))
            }
            (S::Paying, F::Paid(_)) => {
                self.step = S::Shipping;
                Actions::new()
                    .cancel(Deadline::Payment)
                    .compensate_with(&RefundPayment { order: order.clone(), cents })
                    .send(&ShipOrder { order })
                    .schedule(Deadline::Shipping, minutes(3 * 24 * 60))
            }
            (S::Shipping, F::Shipped(_)) => Actions::new().publish(&OrderFulfilled { order }).complete(),
            (S::Reserving, F::OutOfStock(_)) => cancelled(order, "out of stock").complete(),
            (S::Paying, F::NotPaid(_)) => cancelled(order, "payment refused").complete(),
            (S::Shipping, F::NotShipped(_)) => cancelled(order, "shipping refused").complete(),
            (S::GivenUp(Deadline::Stock), F::Reserved(_)) => {
                Actions::new().send(&ReleaseStock { order }).complete()
            }
            (S::GivenUp(Deadline::Payment), F::Paid(_)) => {
                Actions::new().send(&RefundPayment { order, cents }).complete()
            }
            (S::GivenUp(Deadline::Shipping), F::Shipped(_)) => {
                Actions::new().send(&RecallShipment { order }).complete()
            }
            (S::GivenUp(Deadline::Stock), F::OutOfStock(_))
            | (S::GivenUp(Deadline::Payment), F::NotPaid(_))
            | (S::GivenUp(Deadline::Shipping), F::NotShipped(_)) => Actions::new().complete(),
            // Out of its turn, or a second time under another id.
            _ => Actions::new(),
        })
    }

    fn on_deadline(
        &mut self,
        deadline: Deadline,
        cx: &ProcessContext<'_>,
    ) -> Result<Actions<Deadline>, Infallible> {
        let reason = match deadline {
            Deadline::Stock => "no answer from the stock",
            Deadline::Payment => "no answer about the payment",
            Deadline::Shipping => "no answer from the carrier",
            Deadline::Late => return Ok(Actions::new().complete()),
        };
        self.step = Step::GivenUp(deadline);
        Ok(cancelled(cx.key().to_owned(), reason).schedule(Deadline::Late, minutes(30 * 24 * 60)))
    }
}

/// Undoes what was done, the last first, and says that the order is cancelled.
fn cancelled(order: String, reason: &str) -> Actions<Deadline> {
    Actions::new().compensate().publish(&OrderCancelled { order, reason: reason.to_owned() })
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

#[handler]
async fn reserve(command: ReserveStock) -> StockReserved {
    StockReserved { order: command.order }
}

#[handler]
async fn release(command: ReleaseStock, State(tell): State<mpsc::UnboundedSender<String>>) {
    let _ = tell.send(format!("{}: stock released", command.order));
}

#[handler]
async fn take_payment(command: TakePayment) -> (Option<PaymentTaken>, Option<PaymentRefused>) {
    let (order, affordable) = (command.order, command.cents <= 10_000);
    (
        affordable.then(|| PaymentTaken { order: order.clone() }),
        (!affordable).then_some(PaymentRefused { order }),
    )
}

#[handler]
async fn ship(command: ShipOrder) -> OrderShipped {
    OrderShipped { order: command.order }
}

#[handler]
async fn fulfilled(event: OrderFulfilled, State(tell): State<mpsc::UnboundedSender<String>>) {
    let _ = tell.send(format!("{}: fulfilled", event.order));
}

#[handler]
async fn cancelled_order(event: OrderCancelled, State(tell): State<mpsc::UnboundedSender<String>>) {
    let _ = tell.send(format!("{}: cancelled, {}", event.order, event.reason));
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let bus = Bus::new(Memory::new());
    let store = MemoryProcessStore::new();
    let runner = ProcessRunner::<OrderFlow>::new(store.clone());
    let (tell, mut told) = mpsc::unbounded_channel::<String>();
    let app = App::new("orders", bus.clone())
        .state(tell)
        .handlers(handlers![reserve, release, take_payment, ship, fulfilled, cancelled_order])
        .handlers(runner.handlers(jitney::handler::HandlerSpec::new("order_flow")))
        .spawn()
        .await?;
    let (relay, running) = (Relay::new(store.outbox().clone(), &bus).spawn(), runner.spawn());

    for (order, cents) in [("o-1", 4_200), ("o-2", 99_000)] {
        bus.publish(&OrderPlaced { order: order.to_owned(), cents }).await?;
    }
    let mut lines: Vec<String> = Vec::new();
    while lines.len() < 3 {
        lines.extend(told.recv().await);
    }
    lines.sort();
    println!("{}", lines.join("\n"));

    running.shutdown().await?;
    relay.shutdown().await?;
    app.shutdown().await
}
