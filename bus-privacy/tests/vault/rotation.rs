//! Master keys are replaced while everything stays readable.

use jitney_core::Id;
use jitney_privacy::{Entry, ErrorKind, KeyStore, MasterKeys, Vault};
use serde_json::json;

use super::fixture::{Keys, builder, event, kind, master, open, open_value, open_vault, seal, subject};

async fn with(keys: &Keys, masters: MasterKeys) -> Vault {
    Vault::builder(keys.clone(), masters).open().await.unwrap()
}

fn both() -> MasterKeys {
    MasterKeys::new(master(1)).then(master(2)).unwrap()
}

async fn master_of(keys: &Keys, name: &str) -> String {
    match keys.get(&subject(name)).await.unwrap().unwrap() {
        Entry::Key(key) => key.master,
        Entry::Forgotten(tombstone) => panic!("{tombstone:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn all_keys_are_wrapped_anew_and_no_payload_is_touched() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let payload: serde_json::Value = (0..250).map(|at| open_value(&format!("{at}"), &json!(at))).collect();
    let sealed = seal(&vault, event(&id), &payload).await.unwrap();
    vault.forget(&subject("0")).await.unwrap();

    let rotating = with(&keys, both()).await;
    let rotated = rotating.rotate().await.unwrap();
    assert_eq!((rotated.wrapped, rotated.skipped), (249, 0));
    assert_eq!(rotating.rotate().await.unwrap().wrapped, 0);
    assert_eq!(master_of(&keys, "7").await, "m2");

    let new = with(&keys, MasterKeys::new(master(2))).await;
    let opened = open(&new, event(&id), &sealed).await.unwrap();
    assert_eq!((&opened[7], &opened[249]), (&payload[7], &payload[249]));
    assert_eq!(opened[0]["$personal"]["erased"], true);
    let old = builder(&keys).open().await.unwrap();
    let error = open(&old, event(&id), &sealed[7]).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorKind::UnknownMasterKey, true));
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_where_it_was_interrupted_and_past_what_cannot_be_unwrapped() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let lost = with(&keys, MasterKeys::new(master(3))).await;
    seal(&lost, event(&id), &open_value("0", &json!(0))).await.unwrap();
    seal(&open_vault(&keys).await, event(&id), &open_value("1", &json!(1))).await.unwrap();
    let rotating = with(&keys, both()).await;
    keys.set_away(true);
    let error = rotating.rotate().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true));
    keys.set_away(false);
    let error = rotating.rotate().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownMasterKey);
    assert!(error.to_string().contains("`customer/0`") && error.to_string().contains("`m3`"), "{error}");
    assert_eq!(master_of(&keys, "1").await, "m2", "the others are done");
}
