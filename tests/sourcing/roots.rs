//! The style of load, raise, save.

use jitney::prelude::*;
use jitney::sourcing::{ErrorKind, EventStore, MemoryStore, ReadStream};

use super::account::{Account, AccountEvent, Command, Refusal, opened};
use super::interposed::{Incident, InterposedStore};

#[tokio::test]
async fn what_is_raised_is_in_the_state_at_once_and_in_the_store_when_saved() {
    let store = MemoryStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    let mut account = accounts.load("a").await.unwrap();
    assert!(account.is_new());
    account.raise(opened()).unwrap();
    account.raise([AccountEvent::Deposited { cents: 5 }, AccountEvent::Deposited { cents: 6 }]).unwrap();
    account.execute(Command::Withdraw { cents: 1 }).unwrap();
    assert_eq!((account.cents, account.sequence(), account.uncommitted().len()), (10, 0, 4));
    assert!(store.read_stream(account.stream(), ReadStream::forward()).await.unwrap().is_empty());
    let appended = accounts.save(&mut account).await.unwrap().expect("there was something to save");
    assert_eq!((appended.streams[0].first_sequence, appended.streams[0].last_sequence), (1, 4));
    assert_eq!((account.sequence(), account.uncommitted().len()), (4, 0));
    assert_eq!(accounts.save(&mut account).await.unwrap(), None);
    assert_eq!(accounts.load("a").await.unwrap().into_state(), account.into_state());
}

#[tokio::test]
async fn a_refusal_raises_nothing() {
    let accounts = Repository::<Account>::new(MemoryStore::new());
    let mut account = accounts.load("a").await.unwrap();
    let refused = account.execute(Command::Withdraw { cents: 1 }).unwrap_err();
    assert_eq!(refused.rejection(), Some(&Refusal::NotOpen));
    assert!(account.uncommitted().is_empty());
}

#[tokio::test]
async fn of_two_that_were_loaded_at_the_same_sequence_one_is_saved() {
    let accounts = Repository::<Account>::new(MemoryStore::new());
    let (mut one, mut other) = (accounts.load("a").await.unwrap(), accounts.load("a").await.unwrap());
    one.raise(opened()).unwrap();
    other.raise(opened()).unwrap();
    accounts.save(&mut one).await.unwrap();
    let error = accounts.save(&mut other).await.unwrap_err();
    let conflict = error.conflict().expect("it is a conflict");
    assert_eq!((conflict.actual, error.is_retryable()), (1, true));
    assert_eq!(other.uncommitted().len(), 1, "it keeps what it has raised");
}

#[tokio::test]
async fn saving_again_after_a_lost_answer_finds_the_events_stored() {
    let store = InterposedStore::new([Incident::AnswerLost]);
    let accounts = Repository::<Account>::new(store.clone());
    let mut account = accounts.load("a").await.unwrap();
    account.raise([opened(), AccountEvent::Deposited { cents: 5 }]).unwrap();
    assert_eq!(accounts.save(&mut account).await.unwrap_err().kind(), ErrorKind::Unknown);
    let appended = accounts.save(&mut account).await.unwrap().unwrap();
    assert_eq!((appended.streams[0].first_sequence, account.sequence()), (1, 2));
    assert_eq!(store.inner.end().await.unwrap(), appended.position);
}

#[tokio::test]
async fn a_root_that_raises_more_after_a_lost_answer_is_saved_with_it() {
    let store = InterposedStore::new([Incident::AnswerLost]);
    let accounts = Repository::<Account>::new(store.clone());
    let mut account = accounts.load("a").await.unwrap();
    account.raise([opened(), AccountEvent::Deposited { cents: 5 }]).unwrap();
    accounts.save(&mut account).await.unwrap_err();
    account.raise(AccountEvent::Deposited { cents: 6 }).unwrap();
    let appended = accounts.save(&mut account).await.unwrap().unwrap();
    let places = (appended.streams[0].first_sequence, appended.streams[0].last_sequence);
    assert_eq!((places, account.sequence()), ((1, 3), 3));
    assert_eq!(accounts.load("a").await.unwrap().cents, 11);
}

#[tokio::test]
async fn streams_of_many_pages_are_read_whole() {
    let accounts = Repository::<Account>::new(MemoryStore::new());
    let mut account = accounts.load("a").await.unwrap();
    account.raise(opened()).unwrap();
    account.raise((0..3_000).map(|_| AccountEvent::Deposited { cents: 1 }).collect::<Vec<_>>()).unwrap();
    accounts.save(&mut account).await.unwrap();
    let loaded = accounts.load("a").await.unwrap();
    assert_eq!((loaded.sequence(), loaded.cents), (3_001, 3_000));
}
