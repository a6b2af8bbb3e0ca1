//! The program of the README: two events, two handlers, and a bus by URL.

use jitney::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
    cents: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderShipped {
    order_id: String,
}

#[handler(group = "shipping", concurrency = 32)]
async fn ship(paid: OrderPaid) -> OrderShipped {
    OrderShipped { order_id: paid.order_id }
}

#[handler(group = "notices")]
async fn tell(shipped: Envelope<OrderShipped>) {
    println!("order {} is on its way, because of {:?}", shipped.order_id, shipped.metadata().causation_id);
}

pub(crate) fn app(bus: Bus) -> App {
    App::new("shop", bus).handlers(handlers![ship, tell])
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let bus = Bus::from_env().await?;
    let app = app(bus.clone()).spawn().await?;
    bus.publish(&OrderPaid { order_id: "42".into(), cents: 1999 }).await?;
    shutdown_signal().await;
    app.shutdown().await
}
