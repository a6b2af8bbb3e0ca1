//! Read-your-writes: a read model is a little behind, and who has just changed something wants to see it. The query waits
//! until the read model has come so far, for as long as the user can wait: to the position that the command has answered
//! with, or, where a user interface asks in a request of its own, to all that the first request has led to, by its
//! correlation id.
//!
//!     cargo run --example read_your_writes

use std::collections::BTreeSet;
use std::time::Duration;

use jitney::Id;
use jitney::prelude::*;
use jitney::sourcing::{MemoryReadModel, MemoryStore, Position, ProjectionHandle, Projector};

/// How long the user can wait.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "List")]
enum ListEvent {
    Added { item: String },
}

#[derive(Debug, Default)]
struct List;

impl Aggregate for List {
    type Event = ListEvent;
    type Command = String;
    type Error = std::convert::Infallible;

    fn decide(&self, item: String) -> Result<Events<ListEvent>, Self::Error> {
        Ok(ListEvent::Added { item }.into())
    }

    fn evolve(&mut self, _: &ListEvent) {}
}

/// The items of all lists.
type Model = MemoryReadModel<BTreeSet<String>>;

struct Items;

#[projection(name = "items", version = 1)]
impl Items {
    #[handler]
    async fn added(&self, added: ListEvent, items: &mut BTreeSet<String>) {
        let ListEvent::Added { item } = added;
        items.insert(item);
    }
}

/// What the user is shown of `item`, behind a wait for it.
fn shown(model: &Model, item: &str, waited: &Result<(), jitney::sourcing::Error>) -> String {
    match waited {
        Ok(()) => {
            format!("{item} is there: {}", model.read("items", |items| items.contains(item)) == Some(true))
        }
        Err(_) => format!("{item} is stored, and will be on the list in a moment"),
    }
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let (store, model) = (MemoryStore::new(), Model::new());
    let projector = Projector::new(store.clone(), model.clone(), Items).start().await?;
    let lists = Repository::<List>::new(store.clone());

    // Where the command is handled, its position is known.
    let added = lists.handle("shopping", "tea".to_owned()).await?;
    let position = added.position.unwrap_or(Position::START);
    println!("{}", shown(&model, "tea", &projector.wait_for(&position, LIMIT).await));

    // Elsewhere, or later, the id of the request is enough.
    let request = Id::from("request-17");
    lists.request().correlation(request.clone()).handle("shopping", "milk".to_owned()).await?;
    let items = ProjectionHandle::new(model.clone(), "items")?;
    println!("{}", shown(&model, "milk", &items.wait_for_correlation(&store, &request, LIMIT).await));
    Ok(projector.shutdown().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_model_that_is_behind_is_waited_for_and_not_for_ever() {
        let (store, model, request) = (MemoryStore::new(), Model::new(), Id::from("request-18"));
        let projector = Projector::new(store.clone(), model.clone(), Items).start().await.unwrap();
        projector.pause().await.unwrap();
        let lists = Repository::<List>::new(store.clone());
        lists.request().correlation(request.clone()).handle("shopping", "tea".to_owned()).await.unwrap();
        let wait =
            async || shown(&model, "tea", &projector.wait_for_correlation(&store, &request, LIMIT).await);
        assert_eq!(wait().await, "tea is stored, and will be on the list in a moment");
        let (waited, resumed) = tokio::join!(wait(), projector.resume());
        resumed.unwrap();
        assert_eq!(waited, "tea is there: true");
        projector.shutdown().await.unwrap();
    }
}
