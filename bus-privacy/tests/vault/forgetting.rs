//! Forgetting: in which order, how often, and what a crash in the middle leaves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney_core::{Env, Id};
use jitney_privacy::{ErrorKind, FollowerError, Forget, Forgetting, KeyStore, Subject, Tombstone, follower};
use serde_json::json;

use super::fixture::{Keys, builder, erased_value, event, open, open_value, open_vault, seal, subject};

/// What followers were called, in order.
#[derive(Debug, Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A follower that writes down that it was called, and fails so many times at first.
    fn follower(&self, name: &'static str, failing: usize) -> impl Forgetting {
        let (calls, left) = (self.clone(), Arc::new(Mutex::new(failing)));
        follower(name, move |subject: Subject| {
            calls.0.lock().unwrap().push(format!("{name} {subject}"));
            let mut left = left.lock().unwrap();
            let fails = *left > 0;
            *left = left.saturating_sub(1);
            async move {
                match fails {
                    true => Err(FollowerError::from("not now")),
                    false => Ok(format!("{name} has done it")),
                }
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_goes_first_then_all_let_go_of_it_then_the_followers_are_called() {
    let (keys, id, env, calls) = (Keys::default(), Id::from("e1"), Env::seeded(1), Calls::default());
    let (snapshots, views) = (calls.follower("snapshots", 0), calls.follower("views", 0));
    let vault = builder(&keys).also(snapshots).also(views).open().await.unwrap();
    let sealed = seal(&vault, event(&id), &open_value("1", &json!("Maria"))).await.unwrap();
    let (one, begun) = (subject("1"), env.now());
    let look = async {
        env.sleep(Duration::from_secs(59)).await;
        assert_eq!(
            open(&vault, event(&id), &sealed).await.unwrap(),
            erased_value("1"),
            "here it is gone at once"
        );
        assert!(calls.taken().is_empty(), "another process may still put it back behind a follower");
    };
    let (report, ()) = tokio::join!(vault.forget(&one), look);
    assert_eq!(calls.taken(), ["snapshots customer/1", "views customer/1"]);
    assert_eq!(env.now().duration_since(begun).as_secs(), 60);
    assert_eq!(
        report.unwrap().to_string(),
        "`customer/1` was forgotten at 2026-01-01T00:00:00Z by the tests: its key was deleted\n\
         no process opens its data from 2026-01-01T00:01:00Z on\n\
         snapshots: snapshots has done it\n\
         views: views has done it\n"
    );
}

#[tokio::test(start_paused = true)]
async fn forgetting_again_changes_nothing_and_calls_the_followers() {
    let (keys, env, calls) = (Keys::default(), Env::seeded(1), Calls::default());
    let first = open_vault(&keys).await.forget(&subject("1")).await.unwrap();
    assert!(first.is_new && !first.had_key && first.followed.is_empty());
    env.sleep(Duration::from_secs(7200)).await;
    let vault = builder(&keys).by("another").also(calls.follower("views", 0)).open().await.unwrap();
    let again = vault.forget(&subject("1")).await.unwrap();
    assert_eq!((again.is_new, again.at, again.by.as_str()), (false, first.at, "the tests"));
    assert_eq!(calls.taken(), ["views customer/1"]);
    assert_eq!(
        env.now().duration_since(first.at).as_secs(),
        7200,
        "nobody can have the key: there is nothing to wait for"
    );
}

/// What a process has left that ended behind the tombstone of `name`.
async fn begun(keys: &Keys, name: &str, followers: &[&str]) {
    let tombstone = Tombstone { at: Env::seeded(1).now(), by: "the tests".to_owned() };
    keys.forget(&Forget { subject: &subject(name), tombstone, followers }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_follows_goes_on_when_whoever_asked_has_left() {
    let (keys, env, calls) = (Keys::default(), Env::seeded(1), Calls::default());
    let vault = builder(&keys).also(calls.follower("views", 1)).open().await.unwrap();
    env.timeout(Duration::from_secs(10), vault.forget(&subject("1"))).await.unwrap_err();
    assert!(calls.taken().is_empty());
    env.sleep(Duration::from_secs(600)).await;
    assert_eq!(calls.taken(), ["views customer/1", "views customer/1"]);
    assert!(keys.unfinished(None, 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_has_left_is_done_at_the_next_start() {
    let (keys, env, calls) = (Keys::default(), Env::seeded(1), Calls::default());
    // Between the key and the followers; and between the followers.
    begun(&keys, "1", &["snapshots", "views"]).await;
    begun(&keys, "2", &["snapshots", "views"]).await;
    keys.followed(&subject("2"), "snapshots").await.unwrap();

    let (snapshots, views) = (calls.follower("snapshots", 0), calls.follower("views", 0));
    let _vault = builder(&keys).also(snapshots).also(views).open().await.unwrap();
    env.sleep(Duration::from_secs(200)).await;
    assert_eq!(calls.taken(), ["snapshots customer/1", "views customer/1", "views customer/2"]);
    assert!(keys.unfinished(None, 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_fails_keeps_no_other_from_being_called_and_is_called_again() {
    let (keys, env, calls) = (Keys::default(), Env::seeded(1), Calls::default());
    let (views, letters) = (calls.follower("views", 2), calls.follower("letters", 0));
    let vault = builder(&keys).also(views).also(letters).open().await.unwrap();
    let error = vault.forget(&subject("1")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unfinished, true));
    assert!(error.to_string().contains("its key is gone, and `views` failed"), "{error}");
    assert_eq!(calls.taken(), ["views customer/1", "letters customer/1"]);

    // By itself, in the background.
    env.sleep(Duration::from_secs(600)).await;
    assert_eq!(calls.taken(), ["views customer/1", "views customer/1"]);
    assert!(keys.unfinished(None, 10).await.unwrap().is_empty());
    assert!(vault.resume_forgetting().await.unwrap().is_empty());
    env.sleep(Duration::from_secs(600)).await;
    assert!(calls.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn in_the_background_it_is_tried_until_it_is_done() {
    let (keys, env, calls) = (Keys::default(), Env::seeded(1), Calls::default());
    begun(&keys, "1", &["views"]).await;
    let vault = builder(&keys).also(calls.follower("views", 3)).open().await.unwrap();
    env.sleep(Duration::from_secs(600)).await;
    assert_eq!(calls.taken().len(), 4);
    drop(vault);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_the_follower_leaves_it_to_those_who_have() {
    let (keys, calls) = (Keys::default(), Calls::default());
    begun(&keys, "1", &["views", "letters"]).await;

    assert!(open_vault(&keys).await.resume_forgetting().await.unwrap().is_empty());
    let other = builder(&keys).also(calls.follower("letters", 0)).open().await.unwrap();
    let report = other.resume_forgetting().await.unwrap().remove(0);
    assert_eq!((report.followed.len(), report.left), (1, vec!["views".to_owned()]));
    assert_eq!(keys.unfinished(None, 10).await.unwrap()[0].followers, ["views"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_an_error_and_the_call_is_made_again() {
    let (keys, calls) = (Keys::default(), Calls::default());
    let vault = builder(&keys).also(calls.follower("views", 0)).open().await.unwrap();
    keys.set_away(true);
    let error = vault.forget(&subject("1")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true));
    assert!(calls.taken().is_empty());
    assert_eq!(builder(&keys).open().await.unwrap_err().kind(), ErrorKind::Store);
    keys.set_away(false);
    assert!(vault.forget(&subject("1")).await.unwrap().is_new);
}

#[tokio::test(start_paused = true)]
async fn followers_are_told_apart_by_their_names() {
    let (keys, calls) = (Keys::default(), Calls::default());
    let twice = builder(&keys).also(calls.follower("views", 0)).also(calls.follower("views", 0)).open().await;
    assert_eq!(twice.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(
        builder(&keys).also(calls.follower("", 0)).open().await.unwrap_err().kind(),
        ErrorKind::Config
    );
}
