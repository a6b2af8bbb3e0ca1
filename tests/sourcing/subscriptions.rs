//! Following a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jitney::Env;
use jitney::prelude::*;
use jitney::sourcing::{Filter, MemoryStore, Position, Subscription};

use super::account::{Account, AccountEvent, Command, open};
use super::interposed::InterposedStore;

#[tokio::test(start_paused = true)]
async fn what_is_there_is_given_and_then_what_comes() {
    let env = Env::seeded(1);
    let store = MemoryStore::with_env(env.clone());
    let accounts = Repository::<Account>::new(store.clone());
    accounts.handle("a", open()).await.unwrap();
    accounts.handle("a", Command::DepositInParts { cents: 5, parts: 5 }).await.unwrap();
    let filter = Filter::of::<AccountEvent>();
    let events = Subscription::new(store.clone(), Position::START, filter).with_env(env.clone()).batch(4);
    let mut events = events.poll_every(Duration::from_secs(3600));
    let sequences = async |events: &mut Subscription| {
        let events = events.next().await.unwrap();
        events.iter().map(|event| event.sequence()).collect::<Vec<_>>()
    };
    assert_eq!(sequences(&mut events).await, [1, 2, 3, 4]);
    assert_eq!(sequences(&mut events).await, [5, 6]);
    assert!(events.is_at_end());
    let before = env.now();
    let (later, ()) = tokio::join!(sequences(&mut events), async {
        accounts.handle("a", Command::Deposit { cents: 1 }).await.unwrap();
    });
    assert_eq!(later, [7]);
    assert!(
        env.now().duration_since(before).as_secs() < 60,
        "it was woken, and did not wait for its next look"
    );
    // Another reader goes on where this one is.
    let mut others = Subscription::new(store, events.position().clone(), Filter::all());
    assert!(others.try_next().await.unwrap().is_empty() && others.is_at_end());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_wakes_for_nothing_is_not_asked_time_and_again() {
    let env = Env::seeded(1);
    let looks = Arc::new(AtomicU32::new(0));
    let restless = InterposedStore::default().restless(&looks);
    let mut events = Subscription::new(restless, Position::START, Filter::all()).with_env(env.clone());
    let waiting = env.timeout(Duration::from_secs(60), events.next()).await;
    assert!(waiting.is_err(), "there is nothing to read");
    let looks = looks.load(Ordering::Relaxed);
    assert!((30..120).contains(&looks), "{looks} looks in a minute");
}
