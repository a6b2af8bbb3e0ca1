//! Event notification: an event says that something has happened and to what, and no more. Who wants to know more asks the
//! service that it came from.
//!
//!     cargo run --example event_notification
//!
//! Such events are small, give nothing away, and are never out of date: whoever asks gets what holds now, in whatever order and
//! however often the events come. The price is that the asked has to be there; until it is, the bus hands the event in again.
//! `event_state_transfer.rs` is the other way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jitney::prelude::*;
use tokio::sync::watch;

/// The event: which product, and not what its price is.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Product", id = product_id)]
struct PriceChanged {
    product_id: String,
}

/// The service that has the prices, behind whatever protocol it speaks.
#[derive(Clone, Default)]
struct Catalogue(Arc<Mutex<BTreeMap<String, u64>>>);

#[derive(Debug, thiserror::Error)]
#[error("the catalogue does not know the product `{0}` yet")]
struct Unknown(String);

impl Catalogue {
    fn set_price(&self, product_id: &str, cents: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(product_id.to_owned(), cents);
    }

    async fn price(&self, product_id: &str) -> Result<u64, Unknown> {
        let prices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        prices.get(product_id).copied().ok_or_else(|| Unknown(product_id.to_owned()))
    }
}

/// The price tags on the shelves.
type Tags = watch::Sender<BTreeMap<String, u64>>;

/// Is told that a price has changed, and asks for it. Where that fails, it is tried again.
#[handler(group = "shelves")]
async fn print_tag(
    changed: PriceChanged,
    State(catalogue): State<Catalogue>,
    State(tags): State<Tags>,
) -> Result<(), Unknown> {
    let cents = catalogue.price(&changed.product_id).await?;
    tags.send_modify(|tags| {
        tags.insert(changed.product_id, cents);
    });
    Ok(())
}

fn app(bus: Bus, catalogue: Catalogue, tags: Tags) -> App {
    App::new("shop", bus).state(catalogue).state(tags).handlers(handlers![print_tag])
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let (catalogue, tags) = (Catalogue::default(), Tags::default());
    let app = app(Bus::connect("memory://").await?, catalogue.clone(), tags.clone()).spawn().await?;
    for cents in [250, 275] {
        catalogue.set_price("tea", cents);
        app.bus().publish(&PriceChanged { product_id: "tea".into() }).await?;
    }
    let mut seen = tags.subscribe();
    // The sender is here, so that there is always an answer.
    if let Ok(tags) = seen.wait_for(|tags| tags.get("tea") == Some(&275)).await {
        println!("the tag says {} cents", tags["tea"]);
    }
    app.shutdown().await
}

#[cfg(test)]
mod tests {
    use jitney_testkit::TestApp;

    use super::*;

    #[jitney::test(semantics = "eventbridge", seeds = 30)]
    async fn the_tag_is_right_in_whatever_order_the_news_come() {
        let (catalogue, tags) = (Catalogue::default(), Tags::default());
        let (asked, printed) = (catalogue.clone(), tags.clone());
        let app = TestApp::run(|bus| app(bus, asked, printed)).await;
        for cents in [250, 260, 275] {
            // The last news come before the catalogue has the price.
            app.publish(&PriceChanged { product_id: "tea".into() }).await;
            catalogue.set_price("tea", cents);
            app.publish(&PriceChanged { product_id: "tea".into() }).await;
        }
        app.settled().await;
        assert_eq!(tags.borrow()["tea"], 275);
        app.assert_no_dead_letters();
    }
}
