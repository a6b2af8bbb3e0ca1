//! What was changed, moved, or sealed by somebody else: each has an error of its own, and none of them is `Erased`.

use jitney_core::personal::{Item, Place, Sealer};
use jitney_core::{Id, error_chain};
use jitney_privacy::{ErrorKind, MasterKeys, Vault};
use serde_json::{Value, json};

use super::fixture::{Keys, erased_value, event, kind, master, open, open_value, open_vault, seal, subject};

/// A sealed payload with two values of one customer and one of another.
async fn sealed(vault: &Vault, id: &Id) -> Value {
    let payload = json!({
        "name": open_value("1", &json!("Maria")),
        "phone": open_value("1", &json!("030-0074321")),
        "other": open_value("2", &json!("Ana")),
    });
    seal(vault, event(id), &payload).await.unwrap()
}

async fn refused(vault: &Vault, place: Place<'_>, payload: &Value) -> (ErrorKind, bool) {
    let error = open(vault, place, payload).await.unwrap_err();
    let told = error_chain(&error);
    assert!(!["Maria", "030", "Ana"].iter().any(|part| told.contains(part)), "{told}");
    assert!(told.contains(&format!("{} `{}`", place.aggregate_type, place.aggregate_id)), "{told}");
    kind(&error)
}

#[tokio::test(start_paused = true)]
async fn a_value_opens_in_its_place_alone() {
    let (keys, id, other) = (Keys::default(), Id::from("e1"), Id::from("e2"));
    let vault = open_vault(&keys).await;
    let payload = sealed(&vault, &id).await;
    open(&vault, event(&id), &payload).await.unwrap();

    let here = event(&id);
    let tampered = (ErrorKind::Tampered, false);
    for place in [
        event(&other),
        Place { aggregate_id: "2", ..here },
        Place { aggregate_type: "Order", ..here },
        Place { item: Item::State("e1"), ..here },
    ] {
        assert_eq!(refused(&vault, place, &payload).await, tampered, "{place:?}");
    }
    let mut swapped = payload.clone();
    (swapped["name"], swapped["phone"]) = (payload["phone"].clone(), payload["name"].clone());
    assert_eq!(refused(&vault, here, &swapped).await, tampered);
    let mut renamed = payload.clone();
    renamed["first_name"] = renamed["name"].take();
    assert_eq!(refused(&vault, here, &renamed).await, tampered);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_changed_is_refused() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let payload = sealed(&vault, &id).await;
    let changed = |field: &str, to: Value| {
        let mut changed = payload.clone();
        changed["name"]["$sealed"][field] = to;
        changed
    };
    let data = payload["name"]["$sealed"]["data"].as_str().unwrap();
    let flipped = format!("{}{}", if data.starts_with('A') { "B" } else { "A" }, &data[1..]);
    let other_subject = changed("subject", json!("customer/2"));
    for (payload, expected) in [
        (changed("data", json!(flipped)), ErrorKind::Tampered),
        (changed("data", json!("")), ErrorKind::Tampered),
        (changed("data", json!("?")), ErrorKind::Malformed),
        (changed("data", json!(7)), ErrorKind::Malformed),
        (changed("key", json!("0000000000000000")), ErrorKind::UnknownKey),
        (changed("key", json!("first")), ErrorKind::Malformed),
        (changed("alg", json!("XC20P-2")), ErrorKind::Unsupported),
        (changed("subject", json!("customer/3")), ErrorKind::UnknownKey),
        (other_subject, ErrorKind::UnknownKey),
        (changed("subject", json!("")), ErrorKind::Subject),
        (changed("more", json!(1)), ErrorKind::Malformed),
        (json!({ "$sealed": "Maria" }), ErrorKind::Malformed),
        (json!({ "a": 1, "$sealed": payload["name"]["$sealed"] }), ErrorKind::Malformed),
    ] {
        assert_eq!(refused(&vault, event(&id), &payload).await, (expected, false), "{payload}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_subjects_ciphertext_under_its_own_key_is_refused() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let mut payload = sealed(&vault, &id).await;
    // Whole, so that the key fits and the field does not.
    payload["name"] = payload["other"].clone();
    assert_eq!(refused(&vault, event(&id), &payload).await, (ErrorKind::Tampered, false));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_master_key_and_a_missing_one_are_told_apart() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let payload = sealed(&open_vault(&keys).await, &id).await;
    let with = |master| Vault::builder(keys.clone(), MasterKeys::new(master)).open();
    let without = with(master(2)).await.unwrap();
    assert_eq!(refused(&without, event(&id), &payload).await, (ErrorKind::UnknownMasterKey, true));
    let impostor = jitney_privacy::MasterKey::new("m1", [9; 32]).unwrap();
    let error = with(impostor).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::WrongMasterKey, false));
}

#[tokio::test(start_paused = true)]
async fn what_arrives_in_the_clear_or_falsely_erased_is_refused() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let payload = sealed(&vault, &id).await;
    let with = |name: Value| {
        let mut changed = payload.clone();
        changed["name"] = name;
        changed
    };
    let clear = with(open_value("1", &json!("Maria")));
    assert_eq!(refused(&vault, event(&id), &clear).await, (ErrorKind::Tampered, false));
    let never = with(erased_value("9"));
    assert_eq!(refused(&vault, event(&id), &with(erased_value("1"))).await, (ErrorKind::Tampered, false));
    assert_eq!(refused(&vault, event(&id), &never).await, (ErrorKind::Tampered, false));
    vault.forget(&subject("9")).await.unwrap();
    assert_eq!(open(&vault, event(&id), &never).await.unwrap()["name"], erased_value("9"));
}

#[tokio::test(start_paused = true)]
async fn a_key_store_that_is_away_is_worth_another_try_and_erases_nothing() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let payload = sealed(&open_vault(&keys).await, &id).await;
    let vault = open_vault(&keys).await;
    keys.set_away(true);
    assert_eq!(refused(&vault, event(&id), &payload).await, (ErrorKind::Store, true));
    let open_payload = json!({ "name": open_value("3", &json!("Antonio")) });
    let error = seal(&vault, event(&id), &open_payload).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorKind::Store, true));
    keys.set_away(false);
    assert_eq!(open(&vault, event(&id), &payload).await.unwrap()["name"]["$personal"]["value"], "Maria");
}

#[tokio::test(start_paused = true)]
async fn another_key_store_is_no_reason_to_take_a_value_for_erased() {
    let id = Id::from("e1");
    let payload = sealed(&open_vault(&Keys::default()).await, &id).await;
    let vault = open_vault(&Keys::default()).await;
    assert_eq!(refused(&vault, event(&id), &payload).await, (ErrorKind::UnknownKey, false));
}

#[tokio::test(start_paused = true)]
async fn an_open_value_that_nobody_has_written_so_is_not_sealed() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let value = open_value("1", &json!("Maria"));
    for (payload, expected) in [
        (json!({ "a": 1, "b": { "$personal": "Maria" } }), ErrorKind::Malformed),
        (json!([{ "$personal": { "value": "Maria" } }]), ErrorKind::Malformed),
        (
            json!([{ "$personal": { "subject": "customer/1", "value": "Maria", "more": 1 } }]),
            ErrorKind::Malformed,
        ),
        (json!([{ "$personal": { "subject": "", "value": "Maria" } }]), ErrorKind::Subject),
        (json!({ "$personal": value["$personal"], "a": 1 }), ErrorKind::Malformed),
        (json!({ "#": 1, "$personal": value["$personal"] }), ErrorKind::Malformed),
    ] {
        let error = seal(&vault, event(&id), &payload).await.unwrap_err();
        assert_eq!(kind(&error), (expected, false), "{payload}");
        assert!(!error_chain(&error).contains("Maria"), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_nested_too_deep_is_refused() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{open}{}{close}", open_value("1", &json!(1)))
    };
    vault.seal(event(&id), nested(128).into()).await.unwrap();
    let error = vault.seal(event(&id), nested(129).into()).await.unwrap_err();
    assert_eq!(kind(&error), (ErrorKind::TooDeep, false));
}

#[tokio::test(start_paused = true)]
async fn no_bytes_make_it_panic() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let whole =
        json!({ "a\\\"": [open_value("1", &json!("x")), 1.5, null], "b": "é\\" }).to_string().into_bytes();
    let sealed = vault.seal(event(&id), whole.clone().into()).await.unwrap();
    for text in [&whole[..], &sealed] {
        for end in 0..text.len() {
            let _ = vault.seal(event(&id), text[..end].to_vec().into()).await;
            let _ = vault.open(event(&id), text[..end].to_vec().into()).await;
            for byte in *b"\"\\{}[]:,\xff" {
                let mut changed = text.to_vec();
                changed[end] = byte;
                let _ = vault.seal(event(&id), changed.clone().into()).await;
                let _ = vault.open(event(&id), changed.into()).await;
            }
        }
    }
}
