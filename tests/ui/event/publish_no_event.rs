#![allow(unused)]

use jitney::prelude::*;

struct NoEvent;

async fn publish(bus: Bus) -> Result<(), jitney::Error> {
    bus.publish(&NoEvent).await?;
    bus.publish_for("42", &NoEvent).await?;
    Ok(())
}

fn main() {}
