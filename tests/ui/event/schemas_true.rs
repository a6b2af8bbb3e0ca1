use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id, schemas = true)]
struct OrderPaid {
    order_id: String,
}

fn main() {}
