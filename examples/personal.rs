//! A customer's address travels sealed, and is gone everywhere once the customer is forgotten.
//!
//! ```text
//! cargo run --example personal --features privacy
//! ```

use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::privacy::{MasterKey, MasterKeys, MemoryKeyStore, Personal, Revealed, Subject, Vault};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Customer", id = customer_id)]
struct CustomerMoved {
    customer_id: String,
    address: Personal<String>,
}

#[handler(group = "labels")]
async fn print_label(moved: CustomerMoved) {
    let label = match moved.address.reveal() {
        Revealed::Known(address) => address.as_str(),
        Revealed::Erased => "(a former customer)",
        Revealed::Sealed => "(not for this service)",
    };
    println!("{}: {label}", moved.customer_id);
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> jitney::Result<()> {
    // In production: a key store in a database, and the master keys from the environment or a file.
    let master = MasterKeys::new(MasterKey::random("2026-01")?);
    let vault = Vault::builder(MemoryKeyStore::new(), master).by("shop").open().await?;
    let memory = Memory::builder().partitions(1).build();
    let bus = Bus::new(memory.clone()).with_layer(vault.layer());

    for (id, address) in [("ALFKI", "Obere Str. 57"), ("ANATR", "Avda. de la Constitución 2222")] {
        let address = Personal::new(Subject::of("customer", id)?, address.to_owned());
        bus.publish(&CustomerMoved { customer_id: id.to_owned(), address }).await?;
    }
    let leaks = memory.messages("Customer-events");
    let leaks =
        leaks.iter().filter(|message| String::from_utf8_lossy(&message.body).contains("Obere")).count();
    println!("{leaks} of 2 messages show an address");

    // Before anybody has read it: the key goes, the events stay.
    let report = vault.forget(&Subject::of("customer", "ALFKI")?).await?;
    println!("there was a key: {}", report.had_key);

    let app = App::new("shop", bus).handlers(handlers![print_label]).spawn().await?;
    memory.idle().await;
    app.shutdown().await
}
