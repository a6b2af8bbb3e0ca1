//! Payment: large orders are declined.

use jitney::prelude::*;
use rust_decimal::Decimal;

use super::events::{PaymentDeclined, PaymentTaken, StockReserved};
use super::money;

/// No order above this is paid.
const LIMIT: Decimal = Decimal::from_parts(10_000, 0, 0, false, 0);

/// Why an order of this amount is not paid; none where it is.
pub fn declined(amount: Decimal) -> Option<String> {
    (amount > LIMIT)
        .then(|| format!("{} is above the limit of {}", money::shown(amount), money::shown(LIMIT)))
}

#[handler(group = "payment", concurrency = 32, idempotent)]
pub async fn take_payment(reserved: StockReserved) -> Outcome {
    let StockReserved { order_id, amount, shipped_at } = reserved;
    match declined(amount) {
        Some(reason) => Outcome::publish(PaymentDeclined { order_id, reason }),
        None => Outcome::publish(PaymentTaken { order_id, amount, shipped_at }),
    }
}
