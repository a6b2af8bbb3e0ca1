#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(agregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

#[handler]
async fn copy(paid: Envelope<OrderPaid>) -> OrderPaid {
    paid.into_payload()
}

async fn publish(bus: Bus, paid: OrderPaid) -> Result<(), jitney::Error> {
    bus.publish(&paid).await?;
    Ok(())
}

fn main() {}
