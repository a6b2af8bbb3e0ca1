//! Kafka within a service, EventBridge across services: what happens on one bus is passed on to another, as it is.
//!
//! ```text
//! export JITNEY_URL=kafka://127.0.0.1:9092/?create_topics=true PARTNERS_URL='eventbridge://default?region=eu-central-1'
//! cargo run --example forward --features kafka,eventbridge
//! ```
//!
//! Without the features and the variables both buses are in memory. An event keeps its id, its time and its chain on the way, so
//! a partner that sees it twice can tell; it is settled on the first bus when the second one has it.

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

#[handler(group = "shipping")]
async fn ship(paid: OrderPaid) -> OrderShipped {
    OrderShipped { order_id: paid.order_id }
}

/// What partners are told. It runs here only to show what comes; it would be a service of its own.
#[handler(group = "partner")]
async fn hear(shipped: Envelope<OrderShipped>) {
    println!("a partner hears of order {}, shipped at {}", shipped.order_id, shipped.time());
}

fn app(bus: Bus, partners: Bus) -> App {
    App::new("orders", bus)
        .bus("partners", partners)
        .forward::<OrderShipped>("partners")
        .handlers(handlers![ship])
        .handlers_on("partners", handlers![hear])
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let partners = match std::env::var("PARTNERS_URL") {
        Ok(url) => Bus::connect(&url).await?,
        Err(_) => Bus::connect("memory://?semantics=eventbridge").await?,
    };
    let app = app(Bus::from_env().await?, partners).spawn().await?;
    app.bus().publish(&OrderPaid { order_id: "42".into(), cents: 1999 }).await?;
    shutdown_signal().await;
    app.shutdown().await
}
