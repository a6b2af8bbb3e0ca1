//! What a sealed payload looks like.

use bytes::Bytes;
use jitney_core::Id;
use jitney_core::personal::Sealer;
use serde_json::json;

use super::fixture::{Keys, erased_value, event, open, open_value, open_vault, seal, subject};

#[tokio::test(start_paused = true)]
async fn each_value_is_sealed_where_it_is_and_the_rest_is_as_it_was() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    vault.forget(&subject("3")).await.unwrap();
    let payload = json!({
        "id": "1",
        "text": "a \"$personal\" thing, and {\"$sealed\": 1}",
        "names": [1, open_value("1", &json!("Maria")), open_value("2", &json!({ "first": "Ana", "age": 30 }))],
        "by/key": { "~": open_value("1", &json!(null)) },
        "erased": erased_value("3"),
        "last": [true, null, -1.5e3, "ü\\\" }"],
    });
    let sealed = seal(&vault, event(&id), &payload).await.unwrap();
    for secret in ["\"Maria", "\"Ana", "\"age"] {
        assert!(!sealed.to_string().contains(secret), "{sealed}");
    }
    let first = &sealed["names"][1]["$sealed"];
    assert_eq!((&first["alg"], &first["subject"]), (&json!("XC20P-1"), &json!("customer/1")));
    assert_eq!(first["key"], sealed["by/key"]["~"]["$sealed"]["key"]);
    assert_ne!(first["key"], sealed["names"][2]["$sealed"]["key"]);
    for untouched in ["id", "text", "erased", "last"] {
        assert_eq!(sealed[untouched], payload[untouched]);
    }
    assert_eq!(open(&vault, event(&id), &sealed).await.unwrap(), payload);
    assert_eq!(seal(&vault, event(&id), &sealed).await.unwrap(), sealed, "what is sealed stays as it is");
}

#[tokio::test(start_paused = true)]
async fn a_payload_can_be_one_value_and_a_key_can_be_written_in_several_ways() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let whole = open_value("1", &json!("Maria"));
    let sealed = seal(&vault, event(&id), &whole).await.unwrap();
    assert_eq!(open(&vault, event(&id), &sealed).await.unwrap(), whole);

    let payload = format!(" {{ \"n\\u0061me\" : {whole} }} ");
    let sealed = vault.seal(event(&id), payload.into()).await.unwrap();
    let rewritten = String::from_utf8(sealed.to_vec()).unwrap().replace("\\u0061", "a");
    let opened = vault.open(event(&id), rewritten.into()).await.unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&opened).unwrap(), json!({ "name": whole }));
}

#[tokio::test(start_paused = true)]
async fn a_payload_without_personal_values_is_not_copied() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let payload = Bytes::from(json!({ "text": "\"$personal\" and \"$sealed\"" }).to_string());
    let sealed = vault.seal(event(&id), payload.clone()).await.unwrap();
    let opened = vault.open(event(&id), payload.clone()).await.unwrap();
    assert_eq!((sealed.as_ptr(), opened.as_ptr()), (payload.as_ptr(), payload.as_ptr()));
    assert_eq!(keys.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_value_is_never_sealed_to_the_same_bytes() {
    let (keys, id) = (Keys::default(), Id::from("e1"));
    let vault = open_vault(&keys).await;
    let payload = open_value("1", &json!("Maria"));
    let (one, two) = (seal(&vault, event(&id), &payload).await, seal(&vault, event(&id), &payload).await);
    assert_ne!(one.unwrap(), two.unwrap());
}
