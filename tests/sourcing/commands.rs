//! From commands to events: conflicts, and commands that come twice.

use jitney::Env;
use jitney::prelude::*;
use jitney::sourcing::{
    Append, ErrorKind, EventStore, Expected, HandleError, MemoryStore, NewEvent, ReadStream,
};

use super::account::{Account, AccountEvent, Command, Refusal, open};
use super::interposed::{Incident, InterposedStore};

fn deposit(cents: u64) -> Append {
    let event = AccountEvent::Deposited { cents };
    let env = Env::system();
    let event = NewEvent::new(env.new_id(), env.now(), &event).unwrap();
    Append::to(Repository::<Account>::new(MemoryStore::new()).stream("a"), Expected::Any, [event])
}

async fn opened(store: impl jitney::sourcing::IntoEventStore) -> Repository<Account> {
    let accounts = Repository::<Account>::new(store);
    accounts.handle("a", open()).await.unwrap();
    accounts
}

#[tokio::test]
async fn events_follow_from_commands_and_the_state_from_events() {
    let accounts = opened(MemoryStore::new()).await;
    let handled = accounts.handle("a", Command::DepositInParts { cents: 90, parts: 3 }).await.unwrap();
    assert_eq!((handled.state.cents, handled.sequence, handled.events), (90, 4, 3));
    let refused = accounts.handle("a", Command::Withdraw { cents: 100 }).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&Refusal::Overdrawn { by: 10 }));
    assert!(!refused.is_retryable());
    let nothing = accounts.handle("a", Command::Deposit { cents: 0 }).await.unwrap();
    assert_eq!((nothing.sequence, nothing.events, nothing.position), (4, 0, None));
    let read = accounts.store().read_stream(&accounts.stream("a"), ReadStream::forward()).await.unwrap();
    let types: Vec<_> = read.iter().map(|event| &*event.head().event_type).collect();
    assert_eq!(types, ["Opened", "Deposited", "Deposited", "Deposited"]);
}

#[tokio::test]
async fn a_writer_that_was_overtaken_decides_anew_on_the_newer_state() {
    let store = InterposedStore::default();
    let accounts = opened(store.clone()).await;
    accounts.handle("a", Command::Deposit { cents: 50 }).await.unwrap();
    let withdrawn = AccountEvent::Withdrawn { cents: 30 };
    let env = Env::system();
    let withdrawn = NewEvent::new(env.new_id(), env.now(), &withdrawn).unwrap();
    let faster = Append::to(accounts.stream("a"), Expected::Any, [withdrawn]);
    let overtaken = store.followed_by([Incident::Overtaken(faster)]);
    let accounts = Repository::<Account>::new(overtaken.clone());
    let refused = accounts.handle("a", Command::Withdraw { cents: 50 }).await.unwrap_err();
    assert_eq!(refused.rejection(), Some(&Refusal::Overdrawn { by: 30 }), "it was decided on what is there");
    assert!(overtaken.is_spent());
}

#[tokio::test]
async fn who_is_always_overtaken_gives_up_after_so_many_attempts() {
    let incidents = (0..4).map(|_| Incident::Overtaken(deposit(1)));
    let store = InterposedStore::default();
    opened(store.clone()).await;
    let store = store.followed_by(incidents);
    let accounts = Repository::<Account>::new(store.clone()).with_attempts(3);
    let error = accounts.handle("a", Command::Deposit { cents: 100 }).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("stream Account/a: expected event 3 to be its last, but its last event is 4"),
        "{text}"
    );
    // The fourth incident is left: three attempts were made.
    assert!(!store.is_spent());
    assert_eq!(accounts.load("a").await.unwrap().cents, 3, "nothing of the command is stored");
}

#[tokio::test]
async fn a_command_that_comes_twice_is_handled_once() {
    let accounts = opened(MemoryStore::new()).await;
    let parts = Command::DepositInParts { cents: 90, parts: 3 };
    let first = accounts.request().command_id("c-1").handle("a", parts.clone()).await.unwrap();
    accounts.handle("a", Command::Deposit { cents: 5 }).await.unwrap();
    let second = accounts.request().command_id("c-1").handle("a", parts.clone()).await.unwrap();
    assert!(second.was_handled_before && !first.was_handled_before);
    assert_eq!((second.state.cents, second.sequence, second.events), (95, 5, 3));
    assert_eq!(second.position, first.position);
    let other = accounts.request().command_id("c-2").handle("a", parts.clone()).await.unwrap();
    assert_eq!((other.was_handled_before, other.state.cents), (false, 185));
    // The id is one of the aggregate's commands: another aggregate has its own.
    accounts.handle("b", open()).await.unwrap();
    let elsewhere = accounts.request().command_id("c-1").handle("b", parts).await.unwrap();
    assert!(!elsewhere.was_handled_before);
}

#[tokio::test]
async fn a_command_that_was_handled_is_not_refused_when_it_comes_again() {
    let accounts = Repository::<Account>::new(MemoryStore::new());
    accounts.request().command_id("c-1").handle("a", open()).await.unwrap();
    let again = accounts.request().command_id("c-1").handle("a", open()).await.unwrap();
    assert!(again.was_handled_before, "it would be refused, were it another command");
    let other = accounts.request().command_id("c-2").handle("a", open()).await.unwrap_err();
    assert_eq!(other.rejection(), Some(&Refusal::AlreadyOpen));
}

#[tokio::test]
async fn one_of_many_that_handle_the_same_command_at_once_does_so() {
    let accounts = opened(InterposedStore::default()).await;
    let (accounts, barrier) = (&accounts, tokio::sync::Barrier::new(16));
    let handlers = (0..16).map(|_| async {
        barrier.wait().await;
        accounts.request().command_id("c-1").handle("a", Command::Deposit { cents: 7 }).await.unwrap()
    });
    let handled = futures_util::future::join_all(handlers).await;
    assert_eq!(handled.iter().filter(|handled| !handled.was_handled_before).count(), 1);
    assert_eq!(accounts.load("a").await.unwrap().cents, 7);
}

#[tokio::test]
async fn an_answer_that_was_lost_stores_nothing_twice() {
    for command_id in [None, Some("c-1")] {
        for incident in [Incident::AnswerLost, Incident::Vanished] {
            let store = InterposedStore::default();
            opened(store.clone()).await;
            let store = store.followed_by([incident]);
            let accounts = Repository::<Account>::new(store.clone());
            let request = accounts.request();
            let request = match command_id {
                Some(id) => request.command_id(id),
                None => request,
            };
            let handled = request.handle("a", Command::DepositInParts { cents: 10, parts: 2 }).await.unwrap();
            assert_eq!((handled.state.cents, handled.sequence, handled.events), (10, 3, 2), "{command_id:?}");
            assert_eq!(accounts.load("a").await.unwrap().cents, 10);
            assert!(store.is_spent());
        }
    }
}

#[tokio::test]
async fn what_is_not_known_to_be_stored_is_never_said_not_to_be() {
    for second in [Incident::Vanished, Incident::AnswerLost, Incident::Down] {
        for command_id in [None, Some("c-1")] {
            let store = InterposedStore::new([Incident::AnswerLost, second.clone()]);
            let stored_by_second = matches!(second, Incident::AnswerLost);
            let accounts = Repository::<Account>::new(store.clone());
            let request = accounts.request();
            let request = match command_id {
                Some(id) => request.command_id(id),
                None => request,
            };
            let outcome = request.handle("a", open()).await;
            if stored_by_second {
                // The second append finds the events of the first one.
                assert!(outcome.is_ok(), "{outcome:?}");
                continue;
            }
            let HandleError::Store(error) = outcome.unwrap_err() else { panic!("{second:?}") };
            assert_eq!(error.kind(), ErrorKind::Unknown, "{second:?}");
            // Without an id, whoever tries again has it done twice.
            assert_eq!(error.is_retryable(), command_id.is_some(), "{second:?}");
            if command_id.is_some() {
                let again = request.handle("a", open()).await.unwrap();
                assert_eq!((again.was_handled_before, again.sequence), (true, 1));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_that_write_to_one_aggregate_at_once_all_succeed() {
    let store = InterposedStore::default();
    let accounts = opened(store).await.with_attempts(100);
    let accounts = &accounts;
    let handled = (0..64).map(|_| accounts.handle("a", Command::Deposit { cents: 1 }));
    for outcome in futures_util::future::join_all(handled).await {
        assert_eq!(outcome.unwrap().events, 1);
    }
    assert_eq!(accounts.load("a").await.unwrap().cents, 64);
}

#[tokio::test]
async fn an_empty_command_id_is_refused() {
    let accounts = opened(MemoryStore::new()).await;
    let error =
        accounts.request().command_id("").handle("a", Command::Deposit { cents: 1 }).await.unwrap_err();
    let HandleError::Store(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn events_say_who_asked_and_because_of_what() {
    let store = MemoryStore::new();
    let accounts = Repository::<Account>::new(store.clone());
    accounts.request().command_id("c-1").user("u-1").pair("tenant", "t-1").handle("a", open()).await.unwrap();
    let stream = accounts.stream("a");
    let [opened] = &store.read_stream(&stream, ReadStream::forward()).await.unwrap()[..] else {
        panic!("one")
    };
    let metadata = &opened.head().metadata;
    assert_eq!(metadata.user_id.as_deref(), Some("u-1"));
    assert_eq!(metadata.correlation_id, Some("c-1".into()), "the chain of its command");
    assert_eq!(metadata.pairs["tenant"], "t-1");
    let cause = opened.to_envelope::<AccountEvent>().unwrap();
    let other = accounts.request().user("u-2").caused_by(&cause);
    other.handle("b", open()).await.unwrap();
    let [other] = &store.read_stream(&accounts.stream("b"), ReadStream::forward()).await.unwrap()[..] else {
        panic!("one")
    };
    assert_eq!(
        other.head().metadata.user_id.as_deref(),
        Some("u-2"),
        "what was given goes before the cause's"
    );
    let request = accounts.request().caused_by(&cause);
    request.handle("a", Command::DepositInParts { cents: 2, parts: 2 }).await.unwrap();
    let follow = store.read_stream(&stream, ReadStream::forward().from(2)).await.unwrap();
    for event in follow {
        let metadata = &event.head().metadata;
        assert_eq!(metadata.causation_id.as_ref(), Some(cause.event_id()));
        assert_eq!(metadata.correlation_id, Some("c-1".into()));
        assert_eq!(metadata.user_id.as_deref(), Some("u-1"));
    }
}
