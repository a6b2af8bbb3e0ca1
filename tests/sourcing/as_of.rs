//! Temporal queries.

use std::time::Duration;

use jitney::Env;
use jitney::prelude::*;
use jitney::sourcing::{AsOf, MemoryStore};

use super::account::{Account, Command, open};

#[tokio::test(start_paused = true)]
async fn a_state_can_be_asked_for_as_it_was() {
    let env = Env::seeded(1);
    let accounts = Repository::<Account>::new(MemoryStore::with_env(env.clone())).with_env(env.clone());
    let before = env.now();
    env.sleep(Duration::from_secs(60)).await;
    accounts.handle("a", open()).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..3 {
        env.sleep(Duration::from_secs(60)).await;
        accounts.handle("a", Command::Deposit { cents: 10 }).await.unwrap();
        times.push(env.now());
    }
    let at = async |as_of| {
        let root = accounts.load_as_of("a", as_of).await.unwrap();
        (root.sequence(), root.cents)
    };
    assert_eq!(at(AsOf::Time(before)).await, (0, 0));
    assert_eq!(at(AsOf::Time(times[1])).await, (3, 20), "up to and with that moment");
    assert_eq!(at(AsOf::Time(times[1] - Duration::from_millis(1))).await, (2, 10));
    assert_eq!(at(AsOf::Sequence(2)).await, (2, 10));
    assert_eq!(at(AsOf::Sequence(99)).await, (4, 30));
}
