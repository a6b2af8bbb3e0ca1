//! Read-your-writes: a read model is a little behind, and who has just changed something wants to see it. The command answers
//! with the position of its events; the query waits until the read model has reached it, for as long as the user can wait.
//!
//!     cargo run --example read_your_writes

use std::collections::BTreeSet;
use std::time::Duration;

use jitney::Env;
use jitney::prelude::*;
use jitney::sourcing::{Filter, MemoryStore, Position, Subscription};
use tokio::sync::watch;

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

/// The read model, with the position that it is at.
#[derive(Debug, Clone)]
struct Items {
    items: BTreeSet<String>,
    position: Position,
}

/// Follows the store until nobody reads any more.
async fn follow(mut news: Subscription, model: watch::Sender<Items>) -> jitney::Result<()> {
    while !model.is_closed() {
        let added = news.next().await?;
        let items = added.iter().map(|event| event.decode().map(|ListEvent::Added { item }| item));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        // What is read and where it is from change together.
        model.send_modify(|model| {
            model.items.extend(items);
            model.position = news.position().clone();
        });
    }
    Ok(())
}

/// The items, once the read model has reached `position`; none where that takes longer than `limit`.
async fn items_at(model: &watch::Receiver<Items>, position: &Position, limit: Duration) -> Option<Items> {
    let mut model = model.clone();
    let reached = model.wait_for(|model| model.position.has_reached(position));
    Env::system().timeout(limit, reached).await.ok()?.ok().map(|model| model.clone())
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let store = MemoryStore::new();
    let (model, read) = watch::channel(Items { items: BTreeSet::new(), position: Position::START });
    let news = Subscription::new(store.clone(), Position::START, Filter::of::<ListEvent>());
    let following = Env::system().spawn(follow(news, model));

    let lists = Repository::<List>::new(store);
    for item in ["tea", "milk"] {
        let added = lists.handle("shopping", item.to_owned()).await?;
        let position = added.position.unwrap_or(Position::START);
        match items_at(&read, &position, Duration::from_secs(5)).await {
            Some(seen) => println!("{item} is there: {}", seen.items.contains(item)),
            None => println!("{item} is stored, and will be on the list in a moment"),
        }
    }
    following.abort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_model_that_is_behind_is_waited_for_and_not_for_ever() {
        let behind = Items { items: BTreeSet::new(), position: Position::at([1]) };
        let (model, read) = watch::channel(behind.clone());
        let (limit, target) = (Duration::from_secs(1), Position::at([2]));
        assert!(items_at(&read, &target, limit).await.is_none(), "nothing has come");
        let waiting = Env::system().spawn(async move { items_at(&read, &target, limit).await });
        tokio::task::yield_now().await;
        model.send_modify(|model| {
            model.items.insert("tea".into());
            model.position = Position::at([2]);
        });
        assert!(waiting.await.unwrap().unwrap().items.contains("tea"));
    }
}
