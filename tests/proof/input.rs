//! Some of the Northwind orders, and all customers.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::orders::cli::DATA;
use crate::orders::recipient::Recipient;

/// The customer who is forgotten. Letters to them come back, so that there are dead letters with their name.
pub const FORGOTTEN: &str = "VINET";

const ORDERS: usize = 40;

/// Orders, and who gets them.
pub struct Input {
    pub orders: String,
    /// By the ids of the orders.
    pub customers: BTreeMap<String, String>,
    /// By the ids of the customers.
    pub recipients: BTreeMap<String, Recipient>,
    /// The file of customers.
    pub file: String,
}

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{DATA}/{name}")).unwrap()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

impl Input {
    pub fn northwind() -> Self {
        let all = read("orders.jsonl");
        let orders: String = all.split_inclusive('\n').take(ORDERS).collect();
        let order = |line: &str| {
            let order: Value = serde_json::from_str(line).unwrap();
            (text(&order, "orderId"), text(&order, "customerId"))
        };
        let customers: BTreeMap<_, _> = orders.lines().map(order).collect();
        let mut recipients = BTreeMap::new();
        let mut file = String::new();
        for line in read("customers.jsonl").lines() {
            let mut customer: Value = serde_json::from_str(line).unwrap();
            let recipient =
                Recipient { contact: text(&customer, "contact"), phone: text(&customer, "phone") };
            let id = text(&customer, "customerId");
            customer["postComesBack"] = (id == FORGOTTEN).into();
            file += &format!("{customer}\n");
            recipients.insert(id, recipient);
        }
        Input { orders, customers, recipients, file }
    }

    /// Who gets each order, but for those of `without`.
    pub fn expected(&self, without: Option<&str>) -> BTreeMap<String, Recipient> {
        let others = self.customers.iter().filter(|(_, customer)| Some(customer.as_str()) != without);
        others.map(|(order, customer)| (order.clone(), self.recipients[customer].clone())).collect()
    }

    /// The orders of a customer.
    pub fn orders_of(&self, customer: &str) -> Vec<&str> {
        let theirs = self.customers.iter().filter(|(_, other)| *other == customer);
        theirs.map(|(order, _)| order.as_str()).collect()
    }

    /// What must be nowhere in the clear, of these customers.
    pub fn secrets<'a>(&self, customers: impl IntoIterator<Item = &'a String>) -> Vec<String> {
        let recipients = customers.into_iter().map(|customer| self.recipients[customer].clone());
        recipients.flat_map(|Recipient { contact, phone }| [contact, phone]).collect()
    }
}
