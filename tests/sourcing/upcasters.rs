//! Old events of a stream are read as the current ones.

use jitney::Env;
use jitney::prelude::*;
use jitney::sourcing::{Append, ErrorKind, EventStore, Expected, MemoryStore, NewEvent};

mod before {
    use super::*;

    #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Basket", id = basket, type = "Filled")]
    pub(super) struct FilledV1 {
        pub(super) basket: String,
        pub(super) item: String,
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Basket", id = basket, version = "2.0", upcast_from = before::FilledV1)]
struct Filled {
    basket: String,
    items: Vec<String>,
}

impl From<before::FilledV1> for Filled {
    fn from(old: before::FilledV1) -> Self {
        Filled { basket: old.basket, items: vec![old.item] }
    }
}

#[derive(Debug, Default)]
struct Basket {
    items: Vec<String>,
}

impl Aggregate for Basket {
    type Event = Filled;
    type Command = ();
    type Error = std::convert::Infallible;

    fn decide(&self, (): ()) -> Result<Events<Filled>, Self::Error> {
        Ok(Filled { basket: "b".to_owned(), items: vec!["pear".to_owned(), "plum".to_owned()] }.into())
    }

    fn evolve(&mut self, event: &Filled) {
        self.items.extend(event.items.iter().cloned());
    }
}

fn old(env: &Env) -> NewEvent {
    let event = before::FilledV1 { basket: "b".to_owned(), item: "apple".to_owned() };
    NewEvent::new(env.new_id(), env.now(), &event).unwrap()
}

#[tokio::test]
async fn an_aggregate_follows_from_events_of_both_versions() {
    let (env, store) = (Env::system(), MemoryStore::new());
    let baskets = Repository::<Basket>::new(store.clone());
    store.append(Append::to(baskets.stream("b"), Expected::New, [old(&env)])).await.unwrap();
    let handled = baskets.handle("b", ()).await.unwrap();
    assert_eq!(handled.state.items, ["apple", "pear", "plum"]);
    assert_eq!(baskets.load("b").await.unwrap().items, ["apple", "pear", "plum"]);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named_and_nothing_is_decided_on_half_a_state() {
    let (env, store) = (Env::system(), MemoryStore::new());
    let baskets = Repository::<Basket>::new(store.clone());
    let mut newer = old(&env);
    newer.version = jitney::event::Version::new(7, 0);
    store.append(Append::to(baskets.stream("b"), Expected::New, [old(&env), newer])).await.unwrap();
    let error = baskets.load("b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    let text = error.to_string();
    assert!(text.contains("event 2 of stream Basket/b (`Filled` 7.0)"), "{text}");
    assert!(!error.is_retryable());
    let error = baskets.handle("b", ()).await.unwrap_err();
    assert!(matches!(error, jitney::sourcing::HandleError::Store(_)), "{error}");
}
