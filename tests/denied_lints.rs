//! Expansions stand up to the strictest of users: this compiles, and clippy has nothing to say.

#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    missing_copy_implementations,
    unreachable_pub,
    unused_qualifications,
    unused_results,
    unused_lifetimes,
    single_use_lifetimes,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    trivial_casts,
    trivial_numeric_casts,
    let_underscore_drop,
    variant_size_differences,
    non_ascii_idents,
    redundant_lifetimes,
    unit_bindings,
    unused_import_braces,
    unused_macro_rules,
    rust_2018_idioms,
    rust_2021_compatibility,
    rust_2024_compatibility,
    future_incompatible,
    nonstandard_style,
    let_underscore,
    keyword_idents,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
#![forbid(unsafe_code)]

use jitney::prelude::*;

/// An order was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, key = customer, version = "2.1", upcast_from = OrderPaidV1)]
pub struct OrderPaid {
    /// Which one.
    pub order_id: String,
    /// By whom.
    pub customer: String,
}

/// An order was paid, by a customer unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, type = "OrderPaid")]
pub struct OrderPaidV1 {
    /// Which one.
    pub order_id: String,
}

impl From<OrderPaidV1> for OrderPaid {
    fn from(old: OrderPaidV1) -> Self {
        Self { order_id: old.order_id, customer: String::new() }
    }
}

/// What happens to accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account", id = id)]
#[non_exhaustive]
pub enum AccountEvent {
    /// It was opened.
    Opened {
        /// Which one.
        id: u64,
    },
    /// It was closed.
    #[deprecated]
    #[event(type = "AccountClosed")]
    Closed {
        /// Which one.
        id: u64,
    },
}

/// What cannot be done about an order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// It stays so.
    Lasting(u8),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("trouble")
    }
}

impl std::error::Error for Trouble {}

/// Handles a payment.
///
/// # Errors
///
/// When there is trouble.
#[handler(
    group = "billing", name = "pay", concurrency = 32, idempotent(key = order_id), timeout = "30s",
    retry(attempts = 5, from = "100ms", to = "30s", permanent = Trouble::Lasting(1 | 2)),
    breaker(failures = 10, pause = "10s")
)]
pub async fn take_payment(
    order: Envelope<OrderPaid>,
    State(state): State<u64>,
) -> Result<AccountEvent, Trouble> {
    if order.customer.is_empty() { Err(Trouble::Lasting(1)) } else { Ok(AccountEvent::Opened { id: state }) }
}

#[handler(ordered, broadcast)]
async fn nothing(_order: OrderPaid) {}

#[handler(exactly_once)]
async fn once(order: OrderPaid) -> Option<AccountEvent> {
    order.order_id.is_empty().then_some(AccountEvent::Opened { id: 1 })
}

#[handler(batch = 10)]
async fn many(orders: Batch<OrderPaid>) -> Each<Option<AccountEvent>> {
    Each(orders.iter().map(|_| None).collect())
}

/// Sends orders.
#[derive(Debug)]
#[non_exhaustive]
pub struct Shipping(String);

#[handler(group = "shipping", retry(attempts = 3))]
impl Shipping {
    #[handler]
    async fn on_paid(&self, paid: OrderPaid, _metadata: Metadata) -> AccountEvent {
        AccountEvent::Opened { id: (self.0 == paid.order_id).into() }
    }

    /// Looks at everything.
    #[handler(group = "audit", retry(delayed))]
    pub async fn on_any(&self, _event: RawEvent) {}

    const fn plain(&self) -> &str {
        self.0.as_str()
    }
}

#[test]
fn handlers_are_listed() {
    let shipping = Shipping("x".to_owned());
    assert_eq!(shipping.plain(), "x");
    assert_eq!(handlers![take_payment, nothing, once, many, (shipping)].len(), 6);
}
