//! One line of an order, within bounds in which money stays exact.

use jitney::prelude::*;
use rust_decimal::Decimal;
use schemars::JsonSchema;

/// The largest quantity of one line.
const MOST: u32 = 1_000_000;
/// Prices are below this.
const TOO_DEAR: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
/// Prices and discounts have no more decimal places than this.
const PLACES: u32 = 6;

/// One line of an order. There is none that breaks the bounds: such a line is not read, wherever it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", try_from = "Fields")]
pub struct Item {
    pub product_id: String,
    pub quantity: u32,
    pub price: Decimal,
    pub discount: Decimal,
}

/// The same before it is checked.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Fields {
    product_id: String,
    quantity: i64,
    price: Decimal,
    discount: Decimal,
}

impl Item {
    /// The line, or what is wrong with it.
    pub fn new(product_id: String, quantity: i64, price: Decimal, discount: Decimal) -> Result<Self, String> {
        let wrong = |what: String| Err(format!("product `{product_id}`: {what}"));
        let Some(quantity) = u32::try_from(quantity).ok().filter(|quantity| (1..=MOST).contains(quantity))
        else {
            return wrong(format!("the quantity is {quantity}, and must be from 1 to {MOST}"));
        };
        if price < Decimal::ZERO || price >= TOO_DEAR || price.normalize().scale() > PLACES {
            return wrong(format!(
                "the price is {price}, and must be from 0 to below {TOO_DEAR}, with at most {PLACES} places"
            ));
        }
        if !(Decimal::ZERO..=Decimal::ONE).contains(&discount) || discount.normalize().scale() > PLACES {
            return wrong(format!(
                "the discount is {discount}, and must be from 0 to 1, with at most {PLACES} places"
            ));
        }
        Ok(Item { product_id, quantity, price, discount })
    }
}

impl TryFrom<Fields> for Item {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        Item::new(fields.product_id, fields.quantity, fields.price, fields.discount)
    }
}
