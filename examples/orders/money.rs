//! Money: exact while it is added up, rounded once when it is shown.

use rust_decimal::{Decimal, RoundingStrategy};

use super::item::Item;

/// Quantity × price of all lines.
pub fn gross(items: &[Item]) -> Decimal {
    items.iter().map(|item| Decimal::from(item.quantity) * item.price).sum()
}

/// Quantity × price × (1 − discount) of all lines.
pub fn net(items: &[Item]) -> Decimal {
    let line = |item: &Item| Decimal::from(item.quantity) * item.price * (Decimal::ONE - item.discount);
    items.iter().map(line).sum()
}

/// With two places, half a cent up.
pub fn shown(amount: Decimal) -> String {
    format!("{:.2}", amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero))
}
