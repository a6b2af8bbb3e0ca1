//! A function of AWS Lambda with the handlers of a service: fed by the queue of its group, or by a rule.
//!
//! Built for Lambda, the program is called `bootstrap`:
//!
//! ```sh
//! cargo build --release --example lambda --no-default-features --features lambda
//! ```

use jitney::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(source = "aws.s3", type = "Object Created")]
struct ObjectCreated {
    bucket: Bucket,
    object: Object,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Object {
    key: String,
    size: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Invoice", id = number)]
struct InvoiceReceived {
    number: String,
    bytes: u64,
}

/// What it returns is published before Lambda is answered.
#[handler(group = "intake")]
async fn receive(created: ObjectCreated) -> Option<InvoiceReceived> {
    let number = created.object.key.strip_suffix(".pdf")?.to_owned();
    Some(InvoiceReceived { number, bytes: created.object.size })
}

/// The application, whether it runs as a function or as a service.
fn app(bus: Bus) -> App {
    App::new("invoices", bus).handlers(handlers![receive])
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let bus = Bus::from_env().await?;
    jitney::eventbridge::lambda::run(app(bus)).await
}
