#![allow(unused)]

use jitney::prelude::*;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
enum AccountEvent {
    Opened { owner: String },
}

async fn publish(bus: Bus) -> Result<(), jitney::Error> {
    bus.publish(&AccountEvent::Opened { owner: "a".to_owned() }).await?;
    Ok(())
}

fn main() {}
