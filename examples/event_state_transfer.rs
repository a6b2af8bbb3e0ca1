//! Event-carried state transfer: an event carries what its readers need, and each keeps a copy of its own.
//!
//!     cargo run --example event_state_transfer
//!
//! Nobody asks anybody: shipping goes on while the service that has the customers is down. The price is a copy that is a little
//! behind, and that has to know which of two events is the newer one: events may come twice, and on some buses out of order.
//! `event_notification.rs` is the other way.

use std::collections::BTreeMap;

use jitney::prelude::*;
use tokio::sync::watch;

/// The event: all that others need of a customer, and how often that has changed by now.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Customer", id = customer_id)]
struct CustomerChanged {
    customer_id: String,
    revision: u64,
    name: String,
    address: String,
}

/// The copy that shipping keeps: in a real service a table.
type Customers = watch::Sender<BTreeMap<String, CustomerChanged>>;

/// Keeps the newest state of each customer.
#[handler(group = "shipping")]
async fn keep(changed: CustomerChanged, State(customers): State<Customers>) {
    customers.send_if_modified(|customers| match customers.get(&changed.customer_id) {
        Some(kept) if kept.revision >= changed.revision => false,
        _ => {
            customers.insert(changed.customer_id.clone(), changed);
            true
        }
    });
}

/// What is printed on a parcel, out of shipping's own copy.
fn label(customers: &Customers, customer_id: &str) -> Option<String> {
    customers.borrow().get(customer_id).map(|customer| format!("{}, {}", customer.name, customer.address))
}

fn app(bus: Bus, customers: Customers) -> App {
    App::new("shipping", bus).state(customers).handlers(handlers![keep])
}

fn moved(revision: u64, address: &str) -> CustomerChanged {
    CustomerChanged { customer_id: "c-1".into(), revision, name: "Ada".into(), address: address.into() }
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let (bus, customers) = (Bus::connect("memory://").await?, Customers::default());
    let app = app(bus.clone(), customers.clone()).spawn().await?;
    bus.publish_all(&[moved(1, "12 Analytical Row"), moved(2, "4 Engine Street")]).await?;
    // From here on the service that has the customers may be down.
    let mut kept = customers.subscribe();
    let is_new = |customers: &BTreeMap<String, CustomerChanged>| {
        customers.get("c-1").is_some_and(|customer| customer.revision == 2)
    };
    // The sender is here, so that there is always an answer.
    let _ = kept.wait_for(is_new).await;
    if let Some(label) = label(&customers, "c-1") {
        println!("the parcel goes to {label}");
    }
    app.shutdown().await
}

#[cfg(test)]
mod tests {
    use jitney_testkit::TestApp;

    use super::*;

    #[jitney::test(semantics = "eventbridge", seeds = 30)]
    async fn the_newest_address_is_known_without_asking_anybody() {
        let customers = Customers::default();
        let copy = customers.clone();
        let app = TestApp::run(|bus| app(bus, copy)).await;
        for (revision, address) in [(1, "12 Analytical Row"), (2, "4 Engine Street"), (3, "1 Loom Lane")] {
            app.publish(&moved(revision, address)).await;
        }
        app.settled().await;
        assert_eq!(label(&customers, "c-1").as_deref(), Some("Ada, 1 Loom Lane"));
    }
}
