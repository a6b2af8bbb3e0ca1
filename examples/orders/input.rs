//! From lines of JSON to commands; a line that is none is said to be so.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;
use std::str::FromStr;

use jitney::prelude::Deserialize;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use crate::events::{Item, OrderCreatedV1, PlaceOrder};

/// The products that can be ordered.
pub struct Catalogue(BTreeSet<String>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProductLine {
    product_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderLine<'a> {
    order_id: String,
    customer_id: String,
    ordered_at: String,
    shipped_at: Option<String>,
    #[serde(borrow)]
    items: Vec<ItemLine<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemLine<'a> {
    product_id: String,
    quantity: i64,
    // Read as text, so that no float comes between.
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    discount: &'a RawValue,
}

/// An event as an earlier release stored it; what the envelope says beside the payload is not needed here.
#[derive(Deserialize)]
struct StoredV1 {
    payload: OrderCreatedV1,
}

impl Catalogue {
    /// Reads the products in `path`, one a line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        let products = text.lines().enumerate().map(|(index, line)| {
            let product: Result<ProductLine, _> = serde_json::from_str(line);
            product
                .map(|product| product.product_id)
                .map_err(|error| format!("{}, line {}: {error}", path.display(), index + 1))
        });
        products.collect::<Result<_, _>>().map(Catalogue)
    }

    /// Reads one order.
    pub fn order(&self, line: &str) -> Result<PlaceOrder, String> {
        let line: OrderLine<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if line.items.is_empty() {
            return Err("the order has no items".to_owned());
        }
        let items = line.items.iter().map(|item| self.item(item)).collect::<Result<_, _>>()?;
        let OrderLine { order_id, customer_id, ordered_at, shipped_at, .. } = line;
        Ok(PlaceOrder { order_id, customer_id, ordered_at, shipped_at, items })
    }

    fn item(&self, line: &ItemLine<'_>) -> Result<Item, String> {
        let product_id = line.product_id.clone();
        if !self.0.contains(&product_id) {
            return Err(format!("there is no product `{product_id}`"));
        }
        let quantity = u32::try_from(line.quantity).ok().filter(|quantity| *quantity > 0);
        let quantity = quantity
            .ok_or_else(|| format!("product `{product_id}`: a quantity of {} cannot be", line.quantity))?;
        let price = decimal("price", &product_id, line.price)?;
        let discount = decimal("discount", &product_id, line.discount)?;
        if discount > Decimal::ONE {
            return Err(format!("product `{product_id}`: a discount of {discount} is more than everything"));
        }
        Ok(Item { product_id, quantity, price, discount })
    }
}

fn decimal(what: &str, product: &str, value: &RawValue) -> Result<Decimal, String> {
    let text = value.get();
    let number = Decimal::from_str(text)
        .map_err(|_| format!("product `{product}`: the {what} {text} is no number"))?;
    if number.is_sign_negative() && !number.is_zero() {
        return Err(format!("product `{product}`: the {what} {text} is negative"));
    }
    Ok(number)
}

/// A line of the input that is no order.
pub struct Reject {
    pub number: usize,
    pub line: String,
    pub why: String,
}

/// Reads all orders of `input`: commands with their line numbers, and lines that are none. Empty lines are passed over.
pub fn read_orders(
    input: impl BufRead,
    catalogue: &Catalogue,
) -> impl Iterator<Item = Result<PlaceOrder, Reject>> {
    let lines = input.split(b'\n').enumerate();
    lines.filter_map(move |(index, bytes)| {
        let reject = |line: String, why: String| Some(Err(Reject { number: index + 1, line, why }));
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return reject(String::new(), format!("reading it failed: {error}")),
        };
        let line = match String::from_utf8(bytes) {
            Ok(line) => line,
            Err(error) => {
                let line = String::from_utf8_lossy(error.as_bytes()).into_owned();
                return reject(line, "it is not UTF-8".to_owned());
            }
        };
        let text = line.trim();
        if text.is_empty() {
            return None;
        }
        match catalogue.order(text) {
            Ok(order) => Some(Ok(order)),
            Err(why) => reject(text.to_owned(), why),
        }
    })
}

/// Reads events of version 1, one envelope a line.
pub fn read_history(path: &Path) -> Result<Vec<OrderCreatedV1>, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let events = lines.map(|(index, line)| {
        let stored: Result<StoredV1, _> = serde_json::from_str(line);
        stored
            .map(|stored| stored.payload)
            .map_err(|error| format!("{}, line {}: {error}", path.display(), index + 1))
    });
    events.collect()
}
