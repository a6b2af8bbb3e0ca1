//! Snapshots: made when due, used when they prove to be what they say, passed over otherwise.

use std::time::Duration;

use jitney::Env;
use jitney::prelude::*;
use jitney::sourcing::{EventStore, MemoryStore, SnapshotPolicy, SnapshotStore, StoredSnapshot, StreamId};
use uuid::Uuid;

use super::account::{Account, Command, open};

fn accounts(store: &MemoryStore, policy: SnapshotPolicy) -> Repository<Account> {
    Repository::<Account>::new(store.clone()).with_snapshots(policy).unwrap()
}

async fn filled(store: &MemoryStore, deposits: u64) -> Repository<Account> {
    let accounts = accounts(store, SnapshotPolicy::every(5));
    accounts.handle("a", open()).await.unwrap();
    for _ in 0..deposits {
        accounts.handle("a", Command::Deposit { cents: 10 }).await.unwrap();
    }
    accounts
}

async fn snapshot(store: &MemoryStore) -> Option<StoredSnapshot> {
    store.load_snapshot(&StreamId::new("Account", "a")).await.unwrap()
}

/// Puts a state into the snapshot that no event has led to, so that it shows whether the snapshot is used.
async fn forge(store: &MemoryStore, state: &str) -> StoredSnapshot {
    let found = snapshot(store).await.expect("one was made");
    let forged =
        StoredSnapshot::new(found.sequence, found.event_id, found.schema, found.time, state.to_owned());
    store.save_snapshot(&StreamId::new("Account", "a"), forged.clone()).await.unwrap();
    forged
}

const FORGED: &str = r#"{"owner":"Ada","cents":1000}"#;

#[tokio::test]
async fn one_is_made_every_so_many_events_and_used() {
    let store = MemoryStore::new();
    let accounts = filled(&store, 3).await;
    assert_eq!(snapshot(&store).await, None, "four events");
    accounts.handle("a", Command::Deposit { cents: 10 }).await.unwrap();
    assert_eq!(snapshot(&store).await.expect("five events").sequence, 5);
    accounts.handle("a", Command::DepositInParts { cents: 40, parts: 4 }).await.unwrap();
    assert_eq!(snapshot(&store).await.unwrap().sequence, 5, "four events later");
    accounts.handle("a", Command::Deposit { cents: 10 }).await.unwrap();
    assert_eq!(snapshot(&store).await.unwrap().sequence, 10);
    forge(&store, FORGED).await;
    let handled = accounts.handle("a", Command::Deposit { cents: 1 }).await.unwrap();
    assert_eq!((handled.state.cents, handled.sequence), (1001, 11), "the state was taken from the snapshot");
}

#[tokio::test(start_paused = true)]
async fn one_is_made_when_the_last_one_is_old() {
    let env = Env::seeded(1);
    let store = MemoryStore::with_env(env.clone());
    let policy = SnapshotPolicy::every(1_000).or_older_than(Duration::from_secs(3600));
    let accounts = accounts(&store, policy).with_env(env.clone());
    accounts.handle("a", open()).await.unwrap();
    env.sleep(Duration::from_secs(1800)).await;
    accounts.handle("a", Command::Deposit { cents: 1 }).await.unwrap();
    assert_eq!(snapshot(&store).await, None);
    env.sleep(Duration::from_secs(1801)).await;
    accounts.handle("a", Command::Deposit { cents: 1 }).await.unwrap();
    assert_eq!(snapshot(&store).await.expect("the first event is over an hour old").sequence, 3);
    env.sleep(Duration::from_secs(3000)).await;
    accounts.handle("a", Command::Deposit { cents: 1 }).await.unwrap();
    assert_eq!(snapshot(&store).await.unwrap().sequence, 3, "that one is not");
}

#[tokio::test]
async fn what_does_not_prove_to_be_of_this_state_and_stream_is_passed_over() {
    let true_cents = 60;
    type Change = fn(StoredSnapshot) -> StoredSnapshot;
    let cases: [(&str, Change); 5] = [
        ("damaged", |mut found| {
            found.state = FORGED.replace("1000", "1001").into();
            found
        }),
        ("of another schema", |found| {
            let schema = Uuid::from_u128(7);
            StoredSnapshot::new(found.sequence, found.event_id, schema, found.time, found.state)
        }),
        ("of another stream's event", |found| {
            StoredSnapshot::new(found.sequence, "e-1".into(), found.schema, found.time, found.state)
        }),
        ("ahead of the stream", |found| {
            StoredSnapshot::new(99, found.event_id, found.schema, found.time, found.state)
        }),
        ("no state", |found| {
            StoredSnapshot::new(found.sequence, found.event_id, found.schema, found.time, "{}x")
        }),
    ];
    for (what, change) in cases {
        let store = MemoryStore::new();
        let accounts = filled(&store, 6).await;
        let changed = change(forge(&store, FORGED).await);
        store.save_snapshot(&StreamId::new("Account", "a"), changed).await.unwrap();
        assert_eq!(accounts.load("a").await.unwrap().cents, true_cents, "a snapshot that is {what}");
        let handled = accounts.handle("a", Command::Deposit { cents: 1 }).await.unwrap();
        assert_eq!(handled.state.cents, true_cents + 1, "a snapshot that is {what}");
        let replaced = snapshot(&store).await.expect("it is replaced by the next one");
        assert!(replaced.is_intact() && replaced.sequence == 8, "a snapshot that is {what}");
    }
}

mod grown {
    use super::*;

    /// The same aggregate a release later, whose state has one field more.
    #[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
    pub(super) struct Account {
        pub(super) cents: u64,
        #[serde(default)]
        pub(super) deposits: u64,
    }

    impl Aggregate for Account {
        type Event = super::super::account::AccountEvent;
        type Command = ();
        type Error = std::convert::Infallible;

        fn decide(&self, (): ()) -> Result<Events<Self::Event>, Self::Error> {
            Ok(Events::none())
        }

        fn evolve(&mut self, event: &Self::Event) {
            if let super::super::account::AccountEvent::Deposited { cents } = event {
                self.cents += cents;
                self.deposits += 1;
            }
        }
    }
}

#[tokio::test]
async fn a_state_that_has_grown_is_not_read_from_a_snapshot_of_before() {
    let store = MemoryStore::new();
    filled(&store, 6).await;
    let policy = SnapshotPolicy::every(5);
    let grown = Repository::<grown::Account>::new(store.clone()).with_snapshots(policy).unwrap();
    let account = grown.load("a").await.unwrap();
    assert_eq!((account.cents, account.deposits), (60, 6), "a field's default is no count");
}

mod withdrawals {
    use super::*;

    /// Another aggregate over the same stream, whose state looks like that of accounts.
    #[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
    pub(super) struct Account {
        pub(super) owner: Option<String>,
        pub(super) cents: u64,
    }

    impl Aggregate for Account {
        type Event = super::super::account::AccountEvent;
        type Command = ();
        type Error = std::convert::Infallible;

        fn decide(&self, (): ()) -> Result<Events<Self::Event>, Self::Error> {
            Ok(Events::none())
        }

        fn evolve(&mut self, event: &Self::Event) {
            if let super::super::account::AccountEvent::Withdrawn { cents } = event {
                self.cents += cents;
            }
        }
    }
}

#[tokio::test]
async fn the_snapshot_of_one_aggregate_is_not_the_state_of_another() {
    let store = MemoryStore::new();
    filled(&store, 6).await;
    let policy = SnapshotPolicy::every(5);
    let withdrawals = Repository::<withdrawals::Account>::new(store.clone()).with_snapshots(policy).unwrap();
    let account = withdrawals.load("a").await.unwrap();
    assert_eq!((account.cents, &account.owner), (0, &None));
}

#[tokio::test]
async fn snapshots_are_not_needed() {
    let store = MemoryStore::new();
    let accounts = filled(&store, 6).await;
    store.delete_snapshot(&StreamId::new("Account", "a")).await.unwrap();
    assert_eq!(accounts.load("a").await.unwrap().cents, 60);
    assert!(store.snapshots().is_some());
}
