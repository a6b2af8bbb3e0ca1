//! The store of sourced orders on Kafka: a topic of orders, which keeps everything.

use jitney::kafka::KafkaStore;

use super::store::{Sealed, Store};

/// What the store is called where the URL does not say.
const NAME: &str = "orders";

/// Opens the store at `url`: that of a bus on Kafka, with the store's name where a path would be. Its topics begin with the
/// name, as a bus on the same cluster has topics of its own. With `create` they are made where there are none. `sealer` seals what is
/// personal.
///
/// # Errors
///
/// Those of `StoreBuilder::connect`.
pub async fn open(url: &str, create: bool, sealer: Option<Sealed>) -> jitney::Result<Store> {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, place) = address.split_once("://").unwrap_or((address, ""));
    let (servers, path) = place.split_once('/').unwrap_or((place, ""));
    let name = if path.is_empty() { NAME } else { path };
    let create = if create { "&create_topics=true" } else { "" };
    let store = KafkaStore::builder(&format!("{scheme}://{servers}/?{parameters}{create}"))
        .aggregate_types(["Order"])
        .name(name)
        .topic_prefix(format!("{name}."));
    let store = store.connect().await?;
    Ok(match sealer {
        Some(sealer) => Store::alone(store.sealed_by(sealer)),
        None => Store::alone(store),
    })
}
