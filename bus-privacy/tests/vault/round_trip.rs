//! Whatever the payload: sealed and opened again it is what it was.

use jitney_core::Id;
use jitney_core::personal::Sealer;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::fixture::{Keys, erased_value, event, open_value, open_vault, subject};

/// Any text, the marks among them.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,8}",
        1 => Just("$personal".to_owned()),
        1 => Just("{\"$sealed\":{}}".to_owned()),
        1 => Just("a\\\"/~b\u{7}".to_owned()),
    ]
}

/// A key of an object; the marks are no keys that an application may use.
fn key() -> impl Strategy<Value = String> {
    text().prop_filter("a mark", |text| !text.starts_with('$'))
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from)
    ]
    .prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(key(), inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

/// Any JSON, with personal values of a few customers in it.
fn payload() -> impl Strategy<Value = Value> {
    let personal = ("[a-c]", plain()).prop_map(|(name, value)| open_value(&name, &value));
    prop_oneof![3 => plain(), 2 => personal].prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(key(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// `payload` as it reads when customer `a` is forgotten.
fn without_a(payload: &Value) -> Value {
    match payload {
        Value::Array(items) => items.iter().map(without_a).collect(),
        Value::Object(fields)
            if fields.get("$personal").is_some_and(|body| body["subject"] == "customer/a") =>
        {
            erased_value("a")
        }
        Value::Object(fields) if fields.contains_key("$personal") => payload.clone(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), without_a(value))).collect(),
        other => other.clone(),
    }
}

/// How many personal values there are in `payload`.
fn count(payload: &Value) -> usize {
    match payload {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) if fields.contains_key("$personal") => 1,
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn sealed_and_opened_again_it_is_what_it_was(payload in payload(), pretty in any::<bool>()) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (keys, id) = (Keys::default(), Id::from("e1"));
            let vault = open_vault(&keys).await;
            let text = if pretty { serde_json::to_string_pretty(&payload) } else { serde_json::to_string(&payload) }.unwrap();
            let sealed = vault.seal(event(&id), text.into()).await.unwrap();
            let values = String::from_utf8(sealed.to_vec()).unwrap().matches(r#"{"$sealed":{"alg""#).count();
            prop_assert_eq!(values, count(&payload));
            let opened = vault.open(event(&id), sealed.clone()).await.unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Value>(&opened).unwrap(), &payload);
            vault.forget(&subject("a")).await.unwrap();
            let opened = vault.open(event(&id), sealed).await.unwrap();
            prop_assert_eq!(serde_json::from_slice::<Value>(&opened).unwrap(), without_a(&payload));
            Ok(())
        })?;
    }
}
