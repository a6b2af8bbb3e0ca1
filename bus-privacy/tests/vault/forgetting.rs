//! Forgetting: in which order, how often, and what a crash in the middle leaves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney_core::{Env, Id};
use jitney_privacy::{ErrorKind, FollowerError, Forgetting, KeyStore, Subject, follower};
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
    env.sleep(Duration::from_secs(3600)).await;
    let vault = builder(&keys).by("another").also(calls.follower("views", 0)).open().await.unwrap();
    let again = vault.forget(&subject("1")).await.unwrap();
    assert_eq!((again.is_new, again.at, again.by.as_str()), (false, first.at, "the tests"));
    assert_eq!(calls.taken(), ["views customer/1"]);
    assert_eq!(
        env.now().duration_since(first.at).as_secs(),
        3600,
        "nobody can have the key: there is nothing to wait for"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_has_left_is_done_at_the_next_start() {
    let (keys, env, calls) = (Keys::default(), Env::seeded(1), Calls::default());
    let with_both = |failing| {
        let (one, two) = (calls.follower("snapshots", 0), calls.follower("views", failing));
        builder(&keys).also(one).also(two).open()
    };
    let (first, second) = (with_both(0).await.unwrap(), with_both(1).await.unwrap());
    // Between the key and the followers; and between the followers.
    env.timeout(Duration::from_secs(10), first.forget(&subject("1"))).await.unwrap_err();
    second.forget(&subject("2")).await.unwrap_err();
    drop((first, second));
    assert_eq!(calls.taken(), ["snapshots customer/2", "views customer/2"]);
    let left: Vec<_> =
        keys.unfinished(None, 10).await.unwrap().into_iter().map(|left| left.followers).collect();
    assert_eq!(left, [vec!["snapshots".to_owned(), "views".to_owned()], vec!["views".to_owned()]]);

    let _vault = with_both(0).await.unwrap();
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

    assert_eq!(vault.resume_forgetting().await.unwrap_err().kind(), ErrorKind::Unfinished);
    let reports = vault.resume_forgetting().await.unwrap();
    assert_eq!(reports[0].followed, [("views".to_owned(), "views has done it".to_owned())]);
    assert_eq!(calls.taken(), ["views customer/1", "views customer/1"]);
    assert!(vault.resume_forgetting().await.unwrap().is_empty());
    env.sleep(Duration::from_secs(600)).await;
    assert!(calls.taken().is_empty());
}

#[tokio::test(start_paused = true)]
async fn in_the_background_it_is_tried_until_it_is_done() {
    let (keys, env, calls) = (Keys::default(), Env::seeded(1), Calls::default());
    let vault = builder(&keys).also(calls.follower("views", 1)).open().await.unwrap();
    vault.forget(&subject("1")).await.unwrap_err();
    drop(vault);
    calls.taken();
    let vault = builder(&keys).also(calls.follower("views", 3)).open().await.unwrap();
    env.sleep(Duration::from_secs(600)).await;
    assert_eq!(calls.taken().len(), 4);
    drop(vault);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_the_follower_leaves_it_to_those_who_have() {
    let (keys, calls) = (Keys::default(), Calls::default());
    let both = builder(&keys)
        .also(calls.follower("views", 9))
        .also(calls.follower("letters", 9))
        .open()
        .await
        .unwrap();
    both.forget(&subject("1")).await.unwrap_err();
    calls.taken();

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
