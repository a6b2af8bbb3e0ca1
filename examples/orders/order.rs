//! The order as an aggregate: its events are the truth, and it alone decides what may happen to it next.

use std::fmt;

use jitney::prelude::*;
#[cfg(feature = "privacy")]
use jitney::privacy::{Personal, Revealed};
use rust_decimal::Decimal;

use super::events::{
    OrderCreated, OrderCreatedV1, PaymentDeclined, PaymentTaken, PlaceOrder, StockReleased, StockReserved,
};
use super::money;
#[cfg(feature = "privacy")]
use super::recipient::{OrderAddressed, Recipient};

/// What can happen to an order: the event types that the services on the bus know, in one enum.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all_fields = "camelCase")]
#[event(aggregate = "Order", schemas = "schemas")]
pub enum OrderEvent {
    #[event(type = "OrderCreated", version = "2.0", upcast_from = OrderCreatedV1)]
    Created(OrderCreated),
    #[cfg(feature = "privacy")]
    #[event(type = "OrderAddressed")]
    Addressed(OrderAddressed),
    StockReserved(StockReserved),
    StockReleased(StockReleased),
    PaymentTaken(PaymentTaken),
    PaymentDeclined(PaymentDeclined),
    #[event(type = "OrderConfirmed")]
    Confirmed {
        order_id: String,
        shipped_at: Option<String>,
    },
    #[event(type = "OrderCancelled")]
    Cancelled {
        order_id: String,
        reason: String,
    },
    #[event(type = "OrderShipped")]
    Shipped {
        order_id: String,
        shipped_at: String,
    },
}

impl From<OrderCreatedV1> for OrderEvent {
    fn from(old: OrderCreatedV1) -> Self {
        OrderEvent::Created(old.into())
    }
}

/// What the desk and the services can ask of an order.
#[derive(Debug, Clone)]
pub enum Command {
    Place(PlaceOrder),
    /// It is known who gets it.
    #[cfg(feature = "privacy")]
    Address(Personal<Recipient>),
    /// Its goods are set aside.
    Reserve,
    /// Its goods are back on the shelf.
    Release,
    /// It is paid.
    Pay,
    /// It cannot be paid.
    Decline {
        reason: String,
    },
    Confirm,
    Cancel,
    Ship,
}

/// Why an order does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Order already exists")]
    Exists,
    #[error("an order that is {stage} cannot {command}")]
    NotNow { stage: Stage, command: &'static str },
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Stage {
    #[default]
    NotPlaced,
    Created,
    Reserved,
    Paid,
    Declined,
    Released,
    Confirmed,
    Cancelled,
    Shipped,
}

/// An order as far as its events tell.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Order {
    order_id: String,
    stage: Stage,
    lines: usize,
    net: Decimal,
    to_be_shipped: Option<String>,
    declined_for: Option<String>,
    #[cfg(feature = "privacy")]
    recipient: Option<Personal<Recipient>>,
}

impl Aggregate for Order {
    type Event = OrderEvent;
    type Command = Command;
    type Error = Refusal;

    fn decide(&self, command: Command) -> Result<Events<OrderEvent>, Refusal> {
        let (order_id, shipped_at) = (self.order_id.clone(), self.to_be_shipped.clone());
        let reason = self.declined_for.clone().unwrap_or_default();
        Ok(Events::from(match (self.stage, command) {
            (Stage::NotPlaced, Command::Place(order)) => OrderEvent::Created(order.into()),
            (_, Command::Place(_)) => return Err(Refusal::Exists),
            #[cfg(feature = "privacy")]
            (_, Command::Address(_)) if self.recipient.is_some() => return Ok(Events::none()),
            #[cfg(feature = "privacy")]
            (stage, Command::Address(recipient)) if stage != Stage::NotPlaced => {
                OrderEvent::Addressed(OrderAddressed { order_id, recipient })
            }
            (Stage::Created, Command::Reserve) => {
                OrderEvent::StockReserved(StockReserved { order_id, amount: self.net, shipped_at })
            }
            (Stage::Reserved, Command::Pay) => {
                OrderEvent::PaymentTaken(PaymentTaken { order_id, amount: self.net, shipped_at })
            }
            (Stage::Reserved, Command::Decline { reason }) => {
                OrderEvent::PaymentDeclined(PaymentDeclined { order_id, reason })
            }
            (Stage::Declined, Command::Release) => {
                OrderEvent::StockReleased(StockReleased { order_id, reason })
            }
            (Stage::Released, Command::Cancel) => OrderEvent::Cancelled { order_id, reason },
            (Stage::Paid, Command::Confirm) => OrderEvent::Confirmed { order_id, shipped_at },
            (Stage::Confirmed, Command::Ship) => match shipped_at {
                Some(shipped_at) => OrderEvent::Shipped { order_id, shipped_at },
                None => return Ok(Events::none()),
            },
            (stage, command) => return Err(Refusal::NotNow { stage, command: command.name() }),
        }))
    }

    fn evolve(&mut self, event: &OrderEvent) {
        self.stage = match event {
            OrderEvent::Created(order) => {
                self.order_id.clone_from(&order.order_id);
                self.to_be_shipped.clone_from(&order.shipped_at);
                (self.lines, self.net) = (order.items.len(), money::net(&order.items));
                Stage::Created
            }
            #[cfg(feature = "privacy")]
            OrderEvent::Addressed(addressed) => {
                self.recipient = Some(addressed.recipient.clone());
                self.stage
            }
            OrderEvent::StockReserved(_) => Stage::Reserved,
            OrderEvent::PaymentTaken(_) => Stage::Paid,
            OrderEvent::PaymentDeclined(declined) => {
                self.declined_for = Some(declined.reason.clone());
                Stage::Declined
            }
            OrderEvent::StockReleased(_) => Stage::Released,
            OrderEvent::Confirmed { .. } => Stage::Confirmed,
            OrderEvent::Cancelled { .. } => Stage::Cancelled,
            OrderEvent::Shipped { .. } => Stage::Shipped,
        };
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl Order {
    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What it is worth.
    pub fn net(&self) -> Decimal {
        self.net
    }
}

impl Command {
    /// A word for it: for messages, and for ids that follow from what caused it.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Place(_) => "be placed",
            #[cfg(feature = "privacy")]
            Command::Address(_) => "be addressed",
            Command::Reserve => "have its goods set aside",
            Command::Release => "have its goods put back",
            Command::Pay | Command::Decline { .. } => "be paid",
            Command::Confirm => "be confirmed",
            Command::Cancel => "be cancelled",
            Command::Ship => "be shipped",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::NotPlaced => "not placed",
            Stage::Created => "created",
            Stage::Reserved => "reserved",
            Stage::Paid => "paid",
            Stage::Declined => "declined",
            Stage::Released => "released",
            Stage::Confirmed => "confirmed",
            Stage::Cancelled => "cancelled",
            Stage::Shipped => "shipped",
        })
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: lines {}, net {}", self.stage, self.lines, money::shown(self.net))?;
        if let Some(date) = &self.to_be_shipped {
            write!(f, ", to be shipped {date}")?;
        }
        #[cfg(feature = "privacy")]
        match self.recipient.as_ref().map(Personal::reveal) {
            None => {}
            Some(Revealed::Known(recipient)) => write!(f, ", for {}", recipient.contact)?,
            Some(Revealed::Erased) => f.write_str(", for somebody who is forgotten")?,
            Some(Revealed::Sealed) => f.write_str(", for somebody whose name is sealed")?,
        }
        match &self.declined_for {
            Some(reason) => write!(f, ", declined because {reason}"),
            None => Ok(()),
        }
    }
}
