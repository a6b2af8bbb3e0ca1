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

/// Places of an amount that a database keeps as a whole number.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
const PLACES: u32 = 4;

/// `amount` as a whole number, of ten-thousandths; none where that is too large.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub fn units(amount: Decimal) -> Option<i64> {
    let units = amount.checked_mul(Decimal::from(10_u32.pow(PLACES)))?;
    rust_decimal::prelude::ToPrimitive::to_i64(
        &units.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero),
    )
}

/// The amount that [`units`] has made `units` of.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub fn of_units(units: i64) -> Decimal {
    Decimal::new(units, PLACES)
}
