//! Letters to recipients. What the other services know of a customer is an id, and a letter needs a name: so who is to get an order
//! is an event of it, the order remembers it, and letters are written by it. Once the customer is forgotten, all of them have nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jitney::prelude::*;
use jitney::privacy::{Personal, Revealed, Subject};

use super::events::OrderCreated;
use super::input::said;
use super::order::Command;
use super::recipient::{OrderAddressed, Recipient, subject};
use super::sourced::{Orders, tell};

/// The customers, by their ids.
#[derive(Debug, Clone, Default)]
pub struct Customers(Arc<BTreeMap<String, Customer>>);

#[derive(Debug, Clone)]
struct Customer {
    recipient: Recipient,
    post_comes_back: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerLine {
    customer_id: String,
    #[serde(flatten)]
    recipient: Recipient,
    #[serde(default)]
    post_comes_back: bool,
}

impl Customers {
    /// Reads the customers in `path`, one a line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text =
            std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        let customers = text.lines().enumerate().map(|(index, line)| {
            let customer: CustomerLine = serde_json::from_str(line)
                .map_err(|error| format!("{}, line {}: {}", path.display(), index + 1, said(&error)))?;
            let CustomerLine { customer_id, recipient, post_comes_back } = customer;
            Ok((customer_id, Customer { recipient, post_comes_back }))
        });
        customers.collect::<Result<_, _>>().map(|customers| Customers(Arc::new(customers)))
    }

    /// Who gets the orders of the customer, if that is known.
    fn recipient(&self, customer_id: &str) -> Option<Personal<Recipient>> {
        let customer = self.0.get(customer_id)?;
        Some(Personal::new(subject(customer_id).ok()?, customer.recipient.clone()))
    }

    /// Whether letters to the customer `whom` come back.
    fn returns_post(&self, whom: &Subject) -> bool {
        self.0.iter().any(|(id, customer)| {
            customer.post_comes_back && subject(id).is_ok_and(|subject| subject == *whom)
        })
    }
}

/// The letters that were written: to whom, by order; none where the customer was forgotten by then.
#[derive(Debug, Clone, Default)]
pub struct Letters(Arc<Mutex<BTreeMap<String, Option<Recipient>>>>);

impl Letters {
    /// All of them.
    pub fn written(&self) -> BTreeMap<String, Option<Recipient>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What recipients need.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    pub customers: Customers,
    pub letters: Letters,
}

#[handler(group = "addressing", concurrency = 32, idempotent)]
pub async fn address(order: OrderCreated, State(mail): State<Mail>) -> Option<OrderAddressed> {
    let recipient = mail.customers.recipient(&order.customer_id)?;
    Some(OrderAddressed { order_id: order.order_id, recipient })
}

/// The same where orders are sourced.
#[handler(name = "address", group = "addressing", concurrency = 32, idempotent)]
pub async fn tell_recipient(
    order: Envelope<OrderCreated>,
    State(mail): State<Mail>,
    State(orders): State<Orders>,
) -> jitney::Result<()> {
    match mail.customers.recipient(&order.customer_id) {
        Some(recipient) => tell(&orders, &order, Command::Address(recipient)).await,
        None => Ok(()),
    }
}

#[handler(group = "letters", concurrency = 32, idempotent)]
pub async fn write_letter(addressed: OrderAddressed, State(mail): State<Mail>) -> Result<(), HandlerError> {
    if mail.customers.returns_post(addressed.recipient.subject()) {
        return Err(HandlerError::permanent("the last letter has come back: look for another address"));
    }
    let recipient = match addressed.recipient.reveal() {
        Revealed::Known(recipient) => Some(recipient.clone()),
        Revealed::Erased => None,
        Revealed::Sealed => return Err("the bus has no vault that opens recipients".into()),
    };
    mail.letters.0.lock().unwrap_or_else(PoisonError::into_inner).insert(addressed.order_id, recipient);
    Ok(())
}
