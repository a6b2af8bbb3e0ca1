//! The key stores in memory, PostgreSQL and SQLite: the same checks on each.

use std::ops::Deref;

use jitney::Env;
use jitney::privacy::{
    Entry, ErrorKind, Forget, KeyManagement, KeyStore, MemoryKeyStore, StoredPseudonym, Subject, Tombstone,
    ValueHash, Vault, WrappedKey,
};
use jitney::sql::sqlx::{self, raw_sql};
use jitney::sql::{PostgresKeyStore, PostgresStore, SqliteKeyStore, SqliteStore};

use super::fixture::{Seen, master, subject};
use crate::folder::Folder;
use crate::server::{Database, connection, database, execute};

/// A store of its own, with what is to be kept as long.
pub struct Own<S, K>(S, K);

impl<S, K> Deref for Own<S, K> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

async fn in_memory() -> Own<MemoryKeyStore, ()> {
    Own(MemoryKeyStore::new(), ())
}

async fn in_postgres() -> Own<PostgresKeyStore, Database> {
    let database = database().await;
    Own(PostgresKeyStore::connect(&database).await.unwrap(), database)
}

async fn in_sqlite() -> Own<SqliteKeyStore, Folder> {
    let folder = Folder::new("keys");
    let store = SqliteStore::open(&folder.path("keys.db")).await.unwrap();
    Own(SqliteKeyStore::of(&store), folder)
}

macro_rules! checks {
    ($($check:ident)*) => {
        checks! { @ memory in_memory $($check)* }
        checks! { @ postgres in_postgres $($check)* }
        checks! { @ sqlite in_sqlite $($check)* }
    };
    (@ $store:ident $open:ident $($check:ident)*) => {
        mod $store {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                super::$check(&*super::$open().await).await;
            })*
        }
    };
}

checks! {
    the_first_key_stays
    a_tombstone_is_for_ever
    followers_are_kept_until_they_are_done
    keys_are_replaced_where_nobody_was_faster
    of_many_that_create_and_forget_at_once_one_is_first
    a_vault_keeps_its_keys_there
    pseudonyms_are_kept_once_and_go_with_their_subject
    no_pseudonym_outlives_its_subject
}

async fn key(subject: &Subject, byte: u8) -> WrappedKey {
    let key = jitney::privacy::DataKey::new([byte; 32]);
    let id = format!("{byte:016x}").parse().unwrap();
    master().wrap(subject, id, &key).await.unwrap()
}

fn forget<'a>(subject: &'a Subject, by: &str, followers: &'a [&'a str]) -> Forget<'a> {
    let tombstone = Tombstone { at: Env::system().now(), by: by.to_owned() };
    Forget { subject, tombstone, followers }
}

async fn the_first_key_stays(keys: &impl KeyStore) {
    let one = subject("1 ü'\"");
    assert_eq!(keys.get(&one).await.unwrap(), None);
    let first = key(&one, 1).await;
    assert_eq!(keys.create(&one, first.clone()).await.unwrap(), Entry::Key(first.clone()));
    assert_eq!(keys.create(&one, key(&one, 2).await).await.unwrap(), Entry::Key(first.clone()));
    assert_eq!(keys.get(&one).await.unwrap(), Some(Entry::Key(first)));
}

async fn a_tombstone_is_for_ever(keys: &impl KeyStore) {
    let (one, two) = (subject("1"), subject("2"));
    keys.create(&one, key(&one, 1).await).await.unwrap();
    let first = keys.forget(&forget(&one, "a", &[])).await.unwrap();
    assert_eq!((first.is_new, first.had_key, first.tombstone.by.as_str()), (true, true, "a"));
    let again = keys.forget(&forget(&one, "b", &[])).await.unwrap();
    assert_eq!((again.is_new, again.had_key, &again.tombstone), (false, false, &first.tombstone));
    let unknown = keys.forget(&forget(&two, "c", &[])).await.unwrap();
    assert_eq!((unknown.is_new, unknown.had_key), (true, false));
    for (subject, tombstone) in [(&one, first.tombstone), (&two, unknown.tombstone)] {
        let dead = Entry::Forgotten(tombstone);
        assert_eq!(keys.create(subject, key(subject, 2).await).await.unwrap(), dead);
        assert_eq!(keys.get(subject).await.unwrap(), Some(dead));
    }
    assert!(!keys.rewrap(&one, &key(&one, 1).await, key(&one, 2).await).await.unwrap());
    assert!(keys.wrapped_otherwise("other", None, 10).await.unwrap().is_empty());
    assert!(keys.unfinished(None, 10).await.unwrap().is_empty());
}

async fn followers_are_kept_until_they_are_done(keys: &impl KeyStore) {
    let subjects: Vec<_> = ["c", "a", "b"].map(subject).into();
    for one in &subjects {
        keys.forget(&forget(one, "x", &["views", "\"letters\""])).await.unwrap();
    }
    let forgotten = keys.forget(&forget(&subjects[0], "y", &["more"])).await.unwrap();
    keys.followed(&subjects[0], "views").await.unwrap();
    keys.followed(&subjects[0], "unknown").await.unwrap();
    for name in ["views", "\"letters\""] {
        keys.followed(&subjects[2], name).await.unwrap();
    }
    let unfinished = keys.unfinished(None, 10).await.unwrap();
    assert_eq!(unfinished.len(), 2);
    assert_eq!((&unfinished[0].subject, unfinished[0].followers.len()), (&subjects[1], 2));
    let mut left = unfinished[1].followers.clone();
    left.sort();
    assert_eq!(left, ["\"letters\"", "more"]);
    assert_eq!(unfinished[1].tombstone, forgotten.tombstone);
    assert_eq!(keys.unfinished(None, 1).await.unwrap(), unfinished[..1]);
    assert_eq!(keys.unfinished(Some(&subjects[1]), 10).await.unwrap(), unfinished[1..]);
}

async fn keys_are_replaced_where_nobody_was_faster(keys: &impl KeyStore) {
    let subjects = ["c", "a", "b"].map(subject);
    for one in &subjects {
        keys.create(one, key(one, 1).await).await.unwrap();
    }
    assert!(keys.wrapped_otherwise("m1", None, 10).await.unwrap().is_empty());
    let others = keys.wrapped_otherwise("m2", None, 10).await.unwrap();
    let order: Vec<_> = others.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(order, ["person/a", "person/b", "person/c"]);
    assert_eq!(keys.wrapped_otherwise("m2", Some(&subjects[1]), 1).await.unwrap(), others[1..2]);
    let (one, old) = &others[0];
    let new = WrappedKey { master: "m2".to_owned(), ..key(one, 1).await };
    assert!(keys.rewrap(one, old, new.clone()).await.unwrap());
    assert!(!keys.rewrap(one, old, key(one, 1).await).await.unwrap(), "that is not there any more");
    assert_eq!(keys.get(one).await.unwrap(), Some(Entry::Key(new)));
    assert_eq!(keys.wrapped_otherwise("m2", None, 10).await.unwrap(), others[1..]);
}

async fn of_many_that_create_and_forget_at_once_one_is_first(keys: &impl KeyStore) {
    for round in 0..5 {
        let one = subject(&round.to_string());
        let made: Vec<_> = futures_util::future::join_all((1..=6).map(|byte| {
            let one = &one;
            async move { keys.create(one, key(one, byte).await).await.unwrap() }
        }))
        .await;
        assert!(made.iter().all(|entry| entry == &made[0]), "{made:?}");
        let calls = ["a", "b", "c"].map(|by| forget(&one, by, &["views"]));
        let buried = futures_util::future::join_all(calls.iter().map(|call| keys.forget(call))).await;
        let buried: Vec<_> = buried.into_iter().map(Result::unwrap).collect();
        assert_eq!(buried.iter().filter(|forgotten| forgotten.is_new && forgotten.had_key).count(), 1);
        assert!(buried.iter().all(|forgotten| forgotten.tombstone == buried[0].tombstone));
    }
}

async fn a_vault_keeps_its_keys_there(keys: &(impl KeyStore + Clone)) {
    use jitney::personal::{Item, Place, Sealer};
    let open = || Vault::builder(keys.clone(), master()).forget_within(std::time::Duration::ZERO);
    let (one, id) = (subject("1"), "e1".into());
    let place = Place { aggregate_type: "Person", aggregate_id: "1", item: Item::Event(&id) };
    let payload = r#"{"$personal":{"subject":"person/1","value":"Maria"}}"#;
    let sealed = open().open().await.unwrap().seal(place, payload.into()).await.unwrap();
    let opened = open().open().await.unwrap().open(place, sealed.clone()).await.unwrap();
    assert_eq!(opened, payload);

    let seen = Seen::default();
    let log = seen.clone();
    let views = jitney::privacy::follower("views", move |subject: Subject| {
        log.add(subject);
        std::future::ready(Ok("built anew".to_owned()))
    });
    let forgetting = open().also(views).open().await.unwrap();
    let report = forgetting.forget(&one).await.unwrap();
    assert!(report.is_new && report.had_key);
    assert_eq!(seen.taken(), [one]);
    assert!(keys.unfinished(None, 1).await.unwrap().is_empty());
    let erased = r#"{"$personal":{"subject":"person/1","erased":true}}"#;
    assert_eq!(open().open().await.unwrap().open(place, sealed).await.unwrap(), erased);
    let error = open().open().await.unwrap().seal(place, payload.into()).await.unwrap_err();
    assert_eq!(super::fixture::kind(&error), ErrorKind::Forgotten);
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_worth_another_try_and_no_reason_to_erase() {
    let database = database().await;
    let (_, name) = database.rsplit_once('/').unwrap();
    execute(&database, &format!("ALTER DATABASE {name} SET lock_timeout = '50ms'")).await;
    let keys = PostgresKeyStore::connect(&database).await.unwrap();
    let mut other = connection(&database).await;
    let locked = raw_sql("BEGIN; LOCK TABLE jitney.subject_keys");
    locked.execute(&mut other).await.unwrap();
    let one = subject("1");
    let errors = [
        keys.get(&one).await.unwrap_err(),
        keys.create(&one, key(&one, 1).await).await.unwrap_err(),
        keys.forget(&forget(&one, "a", &[])).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true), "{error:?}");
    }
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(keys.get(&one).await.unwrap(), None);
}

#[tokio::test]
async fn a_forgotten_key_is_nowhere_in_the_files_of_sqlite() {
    let folder = Folder::new("keys");
    let path = folder.path("keys.db");
    let keys = SqliteKeyStore::of(&SqliteStore::open(&path).await.unwrap());
    let (one, two) = (subject("1"), subject("2"));
    let (first, second) = (key(&one, 1).await, key(&two, 2).await);
    let is_there = |key: &WrappedKey| {
        let files = ["", "-wal"].map(|end| std::fs::read(format!("{path}{end}")).unwrap_or_default());
        files.iter().any(|file| file.windows(key.bytes.len()).any(|part| part == &key.bytes[..]))
    };
    keys.create(&one, first.clone()).await.unwrap();
    keys.create(&two, second.clone()).await.unwrap();
    assert!(is_there(&first) && is_there(&second));
    keys.forget(&forget(&one, "a", &[])).await.unwrap();
    assert!(!is_there(&first) && is_there(&second));
}

fn pseudonym(number: u64, subject: &Subject, hash: u8) -> StoredPseudonym {
    StoredPseudonym {
        pseudonym: format!("psn:analytics:{number:022}").parse().unwrap(),
        subject: subject.clone(),
        hash: ValueHash::new([hash; 32]),
        sealed: vec![hash; 3],
    }
}

async fn pseudonyms_are_kept_once_and_go_with_their_subject(keys: &impl KeyStore) {
    let (one, two) = (subject("1"), subject("2"));
    let first = pseudonym(1, &one, 1);
    assert_eq!(keys.pseudonym(&first).await.unwrap(), None, "there is no key");
    for subject in [&one, &two] {
        keys.create(subject, key(subject, 1).await).await.unwrap();
    }
    assert_eq!(keys.pseudonym(&first).await.unwrap().as_ref(), Some(&first.pseudonym));
    assert_eq!(keys.pseudonym(&pseudonym(2, &one, 1)).await.unwrap().as_ref(), Some(&first.pseudonym));
    let others = [pseudonym(3, &one, 3), pseudonym(4, &two, 4), pseudonym(5, &one, 5)];
    for other in &others {
        assert_eq!(keys.pseudonym(other).await.unwrap().as_ref(), Some(&other.pseudonym));
        assert_eq!(keys.find_pseudonym(&other.pseudonym).await.unwrap().as_ref(), Some(other));
    }
    assert_eq!(keys.find_pseudonym(&pseudonym(2, &one, 1).pseudonym).await.unwrap(), None);
    assert_eq!(keys.delete_pseudonyms(&one, "billing", None).await.unwrap(), 0);
    assert_eq!(keys.delete_pseudonyms(&one, "analytics", Some(&first.hash)).await.unwrap(), 1);
    assert_eq!(keys.delete_pseudonyms(&one, "analytics", Some(&first.hash)).await.unwrap(), 0);
    assert_eq!(keys.find_pseudonym(&first.pseudonym).await.unwrap(), None);
    let forgotten = keys.forget(&forget(&one, "a", &[])).await.unwrap();
    assert_eq!(forgotten.pseudonyms, 2);
    assert_eq!(keys.pseudonym(&first).await.unwrap(), None, "its subject is forgotten");
    assert_eq!(keys.find_pseudonym(&others[0].pseudonym).await.unwrap(), None);
    assert_eq!(keys.delete_pseudonyms(&two, "analytics", None).await.unwrap(), 1);
}

async fn no_pseudonym_outlives_its_subject(keys: &impl KeyStore) {
    for round in 0..5_u8 {
        let one = subject(&format!("outlived {round}"));
        keys.create(&one, key(&one, 1).await).await.unwrap();
        let new: Vec<_> =
            (0..6).map(|number| pseudonym(u64::from(round) * 10 + number, &one, number as u8)).collect();
        let storing = futures_util::future::join_all(new.iter().map(|new| keys.pseudonym(new)));
        let forgetting = async { keys.forget(&forget(&one, "a", &[])).await.unwrap() };
        let (stored, _) = tokio::join!(storing, forgetting);
        assert!(stored.iter().all(Result::is_ok), "{stored:?}");
        for new in &new {
            assert_eq!(keys.find_pseudonym(&new.pseudonym).await.unwrap(), None, "round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pseudonym_waits_for_a_forgetting_that_is_under_way() {
    const TOMBSTONE: &str = "UPDATE jitney.subject_keys SET key_id = NULL, master = NULL, wrapped = NULL, \
                             forgotten_at_ms = 1, forgotten_by = 'a' WHERE subject = 'person/1'";
    let (database, one) = (database().await, subject("1"));
    let keys = PostgresKeyStore::connect(&database).await.unwrap();
    keys.create(&one, key(&one, 1).await).await.unwrap();
    let (mut forgetting, mut watching) = (connection(&database).await, connection(&database).await);
    raw_sql("BEGIN").execute(&mut forgetting).await.unwrap();
    raw_sql(TOMBSTONE).execute(&mut forgetting).await.unwrap();
    let env = Env::system();
    let storing = env.spawn({
        let (keys, new) = (keys.clone(), pseudonym(1, &one, 1));
        async move { keys.pseudonym(&new).await }
    });
    // Until it waits; or, where it does not, until it is done.
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = async {
        while !storing.is_finished() {
            let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&mut watching).await.unwrap();
            if waiting > 0 {
                break;
            }
        }
    };
    env.timeout(crate::server::PATIENCE, waiting).await.unwrap();
    let rest = "DELETE FROM jitney.pseudonyms WHERE subject = 'person/1'; COMMIT";
    raw_sql(rest).execute(&mut forgetting).await.unwrap();
    assert_eq!(storing.await.unwrap().unwrap(), None);
    assert_eq!(keys.find_pseudonym(&pseudonym(1, &one, 1).pseudonym).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_beside_events_do_not_wait_for_the_connections_of_the_events() {
    let database = database().await;
    let builder = PostgresStore::builder(&database).max_connections(1);
    let store = builder.acquire_timeout(std::time::Duration::from_secs(5)).connect().await.unwrap();
    let keys = PostgresKeyStore::of(&store);
    let transaction = store.pool().begin().await.unwrap();
    let one = subject("1");
    keys.create(&one, key(&one, 1).await).await.unwrap();
    assert!(matches!(keys.get(&one).await.unwrap(), Some(Entry::Key(_))));
    transaction.rollback().await.unwrap();
}
