//! How long a vault has keys at hand.

use std::time::Duration;

use jitney_core::{Env, Id};
use jitney_privacy::ErrorKind;
use serde_json::json;

use super::fixture::{Keys, builder, erased_value, event, kind, open, open_value, open_vault, seal, subject};

#[tokio::test(start_paused = true)]
async fn what_another_process_has_forgotten_is_open_here_for_no_longer_than_the_bound() {
    let (keys, id, env) = (Keys::default(), Id::from("e1"), Env::seeded(1));
    let (here, there) = (open_vault(&keys).await, open_vault(&keys).await);
    let payload = open_value("1", &json!("Maria"));
    let sealed = seal(&here, event(&id), &payload).await.unwrap();
    there.forget(&subject("1")).await.unwrap();
    assert_eq!(open(&there, event(&id), &sealed).await.unwrap(), erased_value("1"));

    env.sleep(Duration::from_secs(44)).await;
    assert_eq!(open(&here, event(&id), &sealed).await.unwrap(), payload, "it is at hand, as is said of it");
    env.sleep(Duration::from_secs(1)).await;
    assert_eq!(open(&here, event(&id), &sealed).await.unwrap(), erased_value("1"));
    let error = seal(&here, event(&id), &payload).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorKind::Forgotten, false));
}

#[tokio::test(start_paused = true)]
async fn a_late_write_makes_no_key_again_and_stores_nothing() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    vault.forget(&subject("1")).await.unwrap();
    for vault in [vault, open_vault(&keys).await] {
        let error = seal(&vault, event(&id), &open_value("1", &json!("Maria"))).await.unwrap_err();
        assert_eq!(kind(&error), (ErrorKind::Forgotten, false));
        let told = jitney_core::error_chain(&error);
        assert!(told.contains("`customer/1` was forgotten at 2026-01-01T00:00:00Z by the tests"), "{told}");
    }
    // An erased value is no write.
    let vault = open_vault(&keys).await;
    assert_eq!(seal(&vault, event(&id), &erased_value("1")).await.unwrap(), erased_value("1"));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_asked_for_once_in_its_time() {
    let (keys, id, env) = (Keys::default(), Id::from("e1"), Env::seeded(1));
    let vault = open_vault(&keys).await;
    let payload = json!([open_value("1", &json!(1)), open_value("2", &json!(2)), open_value("1", &json!(3))]);
    let sealed = seal(&vault, event(&id), &payload).await.unwrap();
    open(&vault, event(&id), &sealed).await.unwrap();
    assert_eq!(keys.asked(), 2);
    env.sleep(Duration::from_secs(46)).await;
    open(&vault, event(&id), &sealed).await.unwrap();
    assert_eq!(keys.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn with_a_bound_of_zero_nothing_is_at_hand() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = builder(&keys).forget_within(Duration::ZERO).open().await.unwrap();
    let other = open_vault(&keys).await;
    let sealed = seal(&vault, event(&id), &open_value("1", &json!(1))).await.unwrap();
    open(&vault, event(&id), &sealed).await.unwrap();
    assert_eq!(keys.asked(), 2);
    other.forget(&subject("1")).await.unwrap();
    assert_eq!(open(&vault, event(&id), &sealed).await.unwrap(), erased_value("1"));
}

#[tokio::test(start_paused = true)]
async fn two_that_seal_first_use_one_key() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let (one, two) = (open_vault(&keys).await, open_vault(&keys).await);
    let payload = open_value("1", &json!("Maria"));
    let place = event(&id);
    let (a, b) = tokio::join!(seal(&one, place, &payload), seal(&two, place, &payload));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a["$sealed"]["key"], b["$sealed"]["key"]);
    assert_eq!(open(&two, place, &a).await.unwrap(), payload);
}
