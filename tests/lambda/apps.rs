//! The applications that functions serve, by name.

use jitney::app::AppPart;
use jitney::memory::{Memory, Semantics};
use jitney::prelude::*;
use jitney::{Error, ErrorKind};
use jitney_eventbridge::DetailJson;

use super::function::say;
use super::server;
use super::told::Told;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderPlaced {
    pub(crate) order_id: String,
    pub(crate) how: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderAccepted {
    pub(crate) order_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
#[serde(rename_all = "camelCase")]
struct OrderCancelled {
    order_id: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(source = "aws.s3", type = "Object Created")]
struct ObjectCreated {
    bucket: Bucket,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bucket {
    name: String,
}

/// Does what an order says.
#[handler(group = "billing", retry(attempts = 3, delayed))]
async fn accept(placed: OrderPlaced) -> Result<OrderAccepted, HandlerError> {
    match &*placed.how {
        "later" => Err(HandlerError::retryable("not now")),
        "never" => Err(HandlerError::permanent("not at all")),
        "panic" => panic!("no hands"),
        "slow" => std::future::pending().await,
        _ => {
            say(format!("billing {}", placed.order_id));
            Ok(OrderAccepted { order_id: placed.order_id })
        }
    }
}

#[handler(group = "audit", retry(attempts = 3, delayed))]
async fn audit(placed: OrderPlaced) -> Result<(), HandlerError> {
    if placed.how == "unaudited" {
        return Err(HandlerError::retryable("the auditor is out"));
    }
    say(format!("audit {}", placed.order_id));
    Ok(())
}

#[handler(group = "audit")]
async fn cancelled(cancelled: OrderCancelled) {
    say(format!("audit of cancelled {}", cancelled.order_id));
}

#[handler(group = "intake")]
async fn take_in(created: Envelope<ObjectCreated>) {
    say(format!("{} {} in {}", created.event_id(), created.aggregate_id(), created.bucket.name));
}

#[handler(group = "needy")]
async fn needs(_: OrderPlaced, State(_): State<u32>) {}

/// The application called `name`.
pub(crate) async fn app(name: &str) -> App {
    let told = |stores: bool| {
        let memory = Memory::builder().semantics(Semantics::EventBridge).build();
        Bus::builder(Told::new(memory, stores)).codec(DetailJson).build()
    };
    let orders = |bus| App::new("orders", bus).merge(hooks());
    match name {
        "billing" => orders(told(true)).handlers(handlers![accept]),
        "without a place for dead letters" => orders(told(false)).handlers(handlers![accept]),
        "billing and audit" => orders(told(true)).handlers(handlers![accept, audit, cancelled]),
        "intake" => orders(told(true)).handlers(handlers![take_in]),
        "without state" => orders(told(true)).handlers(handlers![needs]),
        "without luck" => orders(told(true))
            .handlers(handlers![accept])
            .on_start(|_| async { Err(Error::new(ErrorKind::Config, "no gateway answers")) }),
        // On a bus of AWS, with a service of the same name.
        bus => {
            let bridge = server::on_bus(bus, "").connect().await.unwrap();
            on_aws(bus, Bus::new(bridge))
        }
    }
}

/// The application on the bus called `name` of the server.
pub(crate) fn on_aws(name: &str, bus: Bus) -> App {
    App::new(name, bus).handlers(handlers![accept])
}

/// Says what happens around the handlers.
fn hooks() -> AppPart {
    AppPart::new()
        .on_start(|_| async {
            say("start");
            Ok(())
        })
        .on_stop(|_| async {
            say("stop");
            Ok(())
        })
        .on_dead_letter(|letter| {
            let failure = &letter.failure;
            say(format!("dead letter of {}: {}: {}", failure.group, failure.reason.as_str(), failure.error));
        })
}
