//! Examples of payloads, made, given, and read on every run.

use std::fs;

use jitney_derive::DomainEvent;
use jitney_schema::{ProblemKind, events};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::folder::{contract, fresh, kinds, locked, problems, release};

release!(first, [version = "1.0"], {
    lines: Vec<super::Line>,
    state: super::State,
    pair: (u8, bool),
    others: std::collections::BTreeMap<String, f64>,
    parent: Option<Box<super::Parent>>,
});
release!(no_schema_inside, [version = "1.0"], { code: super::Code });
release!(stricter, [version = "1.0"], {
    lines: Vec<super::Line>,
    state: super::State,
    pair: (u8, bool),
    others: std::collections::BTreeMap<String, f64>,
    #[serde(default, deserialize_with = "super::refused")]
    parent: Option<Box<super::Parent>>,
});

#[derive(Serialize, Deserialize, JsonSchema)]
struct Line {
    #[schemars(example = 7)]
    product: u32,
    #[serde(flatten)]
    price: Price,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Price {
    cents: i64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum State {
    Open,
    Closed { by: String },
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Parent {
    parent: Option<Box<Parent>>,
    children: Vec<Parent>,
}

/// A text that is no code, unless it is `C-1`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Code(String);

impl TryFrom<String> for Code {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "C-1" { Ok(Code(text)) } else { Err("no code") }
    }
}

/// Reads nothing but null, though the schema says more.
fn refused<'de, T: Default, D: serde::Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    <()>::deserialize(deserializer).map(|()| T::default())
}

/// What can happen to an account.
#[derive(Serialize, Deserialize, DomainEvent, JsonSchema)]
#[serde(rename_all_fields = "camelCase")]
#[event(aggregate = "Account", crate = "jitney_core")]
enum AccountEvent {
    Opened {
        owner_name: String,
    },
    #[event(version = "1.1", type = "AccountDeposited")]
    Deposited(Deposit),
    Closed,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Deposit {
    cents: u64,
}

/// Has type parameters.
#[derive(Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "Thing", crate = "jitney_core")]
struct Changed<T> {
    value: T,
}

fn example(folder: &std::path::Path, file: &str) -> Value {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["example"].clone()
}

#[test]
fn an_example_is_made_of_everything_that_has_a_name() {
    let folder = locked("examples", events![first::Paid]);
    let example = example(&folder, "Order/Paid/1.0.json");
    assert_eq!(example["lines"][0]["product"], 7);
    assert!(example["lines"][0]["cents"].is_i64() && example["pair"][1].is_boolean(), "{example}");
    assert!(example["parent"].is_object(), "{example}");
}

#[test]
fn each_variant_has_a_file_with_its_own_content() {
    let folder = locked("variants", events![AccountEvent]);
    assert_eq!(example(&folder, "Account/Opened/1.0.json"), serde_json::json!({ "ownerName": "text" }));
    assert_eq!(example(&folder, "Account/AccountDeposited/1.1.json"), serde_json::json!({ "cents": 1 }));
    assert_eq!(example(&folder, "Account/Closed/1.0.json"), serde_json::json!({}));
}

#[test]
fn a_type_with_parameters_takes_part_by_the_list() {
    let folder = locked("generic", events![Changed<u32>]);
    assert_eq!(example(&folder, "Thing/Changed/1.0.json"), serde_json::json!({ "value": 1 }));
}

#[test]
fn an_example_is_given_where_none_can_be_made() {
    let folder = fresh("given");
    let found = problems(&folder, events![no_schema_inside::Paid]);
    assert!(kinds(&found).contains(&(ProblemKind::NoExample, None)), "{found:?}");
    assert!(found.iter().any(|problem| problem.to_string().contains("no code")), "{found:?}");
    assert!(!folder.exists());
    let event = serde_json::from_str::<no_schema_inside::Paid>(r#"{ "code": "C-1" }"#).unwrap();
    contract(&folder, events![no_schema_inside::Paid]).example(&event).verify().unwrap();
    contract(&folder, events![no_schema_inside::Paid]).verify().unwrap();
}

/// What the schema does not show: the locked example is read on every run.
#[test]
fn an_example_that_is_no_longer_read_is_told() {
    let folder = locked("unread", events![first::Paid]);
    let found = problems(&folder, events![stricter::Paid]);
    assert!(kinds(&found).contains(&(ProblemKind::Unreadable, None)), "{found:?}");
}
