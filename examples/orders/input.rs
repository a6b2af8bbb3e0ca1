//! From lines of JSON to commands; a line that is none is said to be so.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

use jitney::prelude::Deserialize;
use rust_decimal::Decimal;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::events::PlaceOrder;
use super::item::Item;

/// The products that can be ordered, and how many of each are in stock.
pub struct Catalogue(BTreeMap<String, u64>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProductLine {
    product_id: String,
    units_in_stock: u64,
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
    // Numbers with places are read as text, so that no float comes between.
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    discount: &'a RawValue,
}

impl Catalogue {
    /// Reads the products in `path`, one a line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        let products = text.lines().enumerate().map(|(index, line)| {
            let product: ProductLine = serde_json::from_str(line)
                .map_err(|error| format!("{}, line {}: {}", path.display(), index + 1, said(&error)))?;
            Ok((product.product_id, product.units_in_stock))
        });
        products.collect::<Result<_, _>>().map(Catalogue)
    }

    /// What is in stock at first, by product.
    pub fn in_stock(&self) -> &BTreeMap<String, u64> {
        &self.0
    }

    /// Reads one order, or says what is wrong with it.
    pub fn order(&self, line: &str) -> Result<PlaceOrder, String> {
        // Serde would take a list for a struct as well.
        if !line.trim_start().starts_with('{') {
            let json: Result<IgnoredAny, _> = serde_json::from_str(line);
            return Err(json.map_or_else(|error| said(&error), |_| "not a JSON object".to_owned()));
        }
        let order = serde_json::from_str(line).map_err(|error| said(&error))?;
        let OrderLine { order_id, customer_id, ordered_at, shipped_at, items } = order;
        for (name, value) in [("orderId", &order_id), ("customerId", &customer_id)] {
            if value.trim().is_empty() {
                return Err(format!("`{name}` is empty"));
            }
        }
        if items.is_empty() {
            return Err("the order has no items".to_owned());
        }
        let items = items.into_iter().map(|item| self.item(item)).collect::<Result<_, _>>()?;
        Ok(PlaceOrder { order_id, customer_id, ordered_at, shipped_at, items })
    }

    fn item(&self, line: ItemLine<'_>) -> Result<Item, String> {
        let ItemLine { product_id, quantity, price, discount } = line;
        if !self.0.contains_key(&product_id) {
            return Err(format!("there is no product `{product_id}`"));
        }
        let (price, discount) = (decimal("price", price)?, decimal("discount", discount)?);
        Item::new(product_id, quantity, price, discount)
    }
}

fn decimal(what: &str, value: &RawValue) -> Result<Decimal, String> {
    let text = value.get();
    Decimal::from_str_exact(text)
        .or_else(|_| Decimal::from_scientific(text))
        .map_err(|_| format!("the {what} {text} is no number that can be kept exactly"))
}

/// The message of `error`, whose place is in the one line that was read.
pub fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    let kind = if error.is_data() { "" } else { "not JSON: " };
    format!("{kind}{what} (column {})", error.column())
}

/// A line of the input that is no order.
pub struct Reject {
    pub number: usize,
    pub line: Vec<u8>,
    pub why: String,
}

/// Reads all orders of `input`: commands, and lines that are none. Empty lines are passed over.
pub fn read_orders(
    input: impl BufRead,
    catalogue: &Catalogue,
) -> impl Iterator<Item = std::io::Result<Result<PlaceOrder, Reject>>> {
    let lines = input.split(b'\n').enumerate();
    lines.filter_map(move |(index, line)| {
        let line = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        if line.trim_ascii().is_empty() {
            return None;
        }
        let text = std::str::from_utf8(&line).map_err(|_| "not UTF-8".to_owned());
        let order = text.and_then(|text| catalogue.order(text));
        Some(Ok(order.map_err(|why| Reject { number: index + 1, line, why })))
    })
}
