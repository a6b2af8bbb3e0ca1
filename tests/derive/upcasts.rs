//! Old versions, brought up to date by types and by functions on JSON.

use std::fmt;

use jitney::event::{DecodeErrorKind, EventType};
use jitney::prelude::*;
use serde_json::{Value, json};

use crate::wire::{payload, round_trip, stored};

fn accepted<E: DomainEvent>() -> Vec<String> {
    E::accepts().into_iter().map(EventType::to_string).collect()
}

mod typed {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", version = "3.2", upcast_from = RenamedV2)]
    pub(super) struct Renamed {
        pub(super) cents: u64,
        pub(super) currency: String,
    }

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", type = "Renamed", version = "2", upcast_from = OriginalV1)]
    pub(super) struct RenamedV2 {
        cents: u64,
    }

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", type = "Original")]
    pub(super) struct OriginalV1 {
        euros: String,
    }

    #[derive(Debug)]
    pub(super) struct NoNumber(String);

    impl fmt::Display for NoNumber {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "`{}` is no number", self.0)
        }
    }

    impl std::error::Error for NoNumber {}

    impl From<RenamedV2> for Renamed {
        fn from(old: RenamedV2) -> Self {
            Renamed { cents: old.cents, currency: "EUR".into() }
        }
    }

    impl TryFrom<OriginalV1> for RenamedV2 {
        type Error = NoNumber;

        fn try_from(old: OriginalV1) -> Result<Self, NoNumber> {
            old.euros
                .parse::<u64>()
                .map(|euros| RenamedV2 { cents: euros * 100 })
                .map_err(|_| NoNumber(old.euros))
        }
    }
}

use typed::Renamed;

#[test]
fn three_versions_are_read_as_the_newest() {
    let expected = |cents| Renamed { cents, currency: "EUR".into() };
    assert_eq!(stored::<Renamed>("Renamed", (3, 0), r#"{"cents":5,"currency":"EUR"}"#).unwrap(), expected(5));
    assert_eq!(stored::<Renamed>("Renamed", (2, 4), r#"{"cents":5}"#).unwrap(), expected(5));
    assert_eq!(stored::<Renamed>("Original", (1, 0), r#"{"euros":"5"}"#).unwrap(), expected(500));
    assert_eq!(round_trip(&expected(7)), expected(7));
}

#[test]
fn subscriptions_include_the_types_before_the_upcast() {
    assert_eq!(accepted::<Renamed>(), ["Renamed 3.2", "Renamed 2.0", "Original 1.0"]);
}

#[test]
fn an_upcaster_that_refuses_says_why() {
    let error = stored::<Renamed>("Original", (1, 0), r#"{"euros":"many"}"#).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Upcast);
    assert_eq!(jitney::error_chain(&error), "upcasting `Original` 1.0: `many` is no number");
}

#[test]
fn versions_outside_of_the_chain_are_refused() {
    for (name, major) in [("Renamed", 4), ("Renamed", 1), ("Original", 2), ("Original", 3), ("Renamed", 0)] {
        let error =
            stored::<Renamed>(name, (major, 0), r#"{"cents":5,"currency":"EUR","euros":"5"}"#).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion, "{name} {major}");
    }
}

fn split_name(mut event: Value) -> Result<Value, String> {
    let name = event["name"].as_str().ok_or("no name")?.to_owned();
    event["names"] = json!([name]);
    Ok(event)
}

fn count_names(mut event: Value) -> Result<Value, std::convert::Infallible> {
    event["count"] = json!(event["names"].as_array().map_or(0, Vec::len));
    Ok(event)
}

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Person", version = "3.1", upcast_json(1 = split_name, 2 = count_names))]
struct Named {
    names: Vec<String>,
    count: u64,
}

#[test]
fn functions_on_json_lead_from_each_old_version() {
    let expected = Named { names: vec!["a".into()], count: 1 };
    assert_eq!(stored::<Named>("Named", (1, 3), r#"{"name":"a"}"#).unwrap(), expected);
    assert_eq!(stored::<Named>("Named", (2, 0), r#"{"names":["a"]}"#).unwrap(), expected);
    assert_eq!(stored::<Named>("Named", (3, 0), r#"{"names":["a"],"count":1}"#).unwrap(), expected);
    assert_eq!(accepted::<Named>(), ["Named 3.1", "Named 2.0", "Named 1.0"]);
    for major in [0, 4] {
        let error = stored::<Named>("Named", (major, 0), r#"{"names":["a"],"count":1}"#).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion);
    }
}

#[test]
fn a_function_on_json_that_refuses_says_why() {
    let error = stored::<Named>("Named", (1, 0), "{}").unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Upcast);
    assert_eq!(jitney::error_chain(&error), "upcasting `Named` 1.0: no name");
}

/// A chain whose first version was dropped long ago.
#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Person", type = "Named", version = "3", upcast_json(2 = count_names))]
struct NamedSinceV2 {
    names: Vec<String>,
    count: u64,
}

#[test]
fn a_chain_may_start_late() {
    assert_eq!(stored::<NamedSinceV2>("Named", (2, 0), r#"{"names":["a"]}"#).unwrap().count, 1);
    let error = stored::<NamedSinceV2>("Named", (1, 0), r#"{"names":["a"]}"#).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion);
}

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
enum AccountEvent {
    Opened {
        owner: String,
    },
    #[event(version = "2", upcast_from = DepositedV1)]
    Deposited {
        cents: u64,
    },
    #[event(version = "2", upcast_from = WithdrawnV1)]
    Withdrawn {
        cents: u64,
    },
    #[event(version = "2", upcast_json(1 = count_names))]
    Shared {
        names: Vec<String>,
        count: u64,
    },
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account", type = "Deposited")]
struct DepositedV1 {
    euros: u64,
}

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account", type = "Withdrawn")]
struct WithdrawnV1 {
    euros: u64,
}

impl From<DepositedV1> for AccountEvent {
    fn from(old: DepositedV1) -> Self {
        AccountEvent::Deposited { cents: old.euros * 100 }
    }
}

impl From<WithdrawnV1> for AccountEvent {
    fn from(old: WithdrawnV1) -> Self {
        AccountEvent::Withdrawn { cents: old.euros * 100 }
    }
}

#[test]
fn each_variant_has_versions_of_its_own() {
    let read = |name, version, payload| stored::<AccountEvent>(name, version, payload).unwrap();
    assert_eq!(read("Opened", (1, 0), r#"{"owner":"a"}"#), AccountEvent::Opened { owner: "a".into() });
    assert_eq!(read("Deposited", (2, 0), r#"{"cents":5}"#), AccountEvent::Deposited { cents: 5 });
    assert_eq!(read("Deposited", (1, 0), r#"{"euros":5}"#), AccountEvent::Deposited { cents: 500 });
    assert_eq!(read("Withdrawn", (1, 0), r#"{"euros":5}"#), AccountEvent::Withdrawn { cents: 500 });
    let shared = AccountEvent::Shared { names: vec!["a".into()], count: 1 };
    assert_eq!(read("Shared", (1, 0), r#"{"names":["a"]}"#), shared);
    assert_eq!(payload(&shared), r#"{"names":["a"],"count":1}"#);
    let expected = [
        "Opened 1.0",
        "Deposited 2.0",
        "Withdrawn 2.0",
        "Shared 2.0",
        "Deposited 1.0",
        "Withdrawn 1.0",
        "Shared 1.0",
    ];
    assert_eq!(accepted::<AccountEvent>(), expected);
    let error = stored::<AccountEvent>("Opened", (2, 0), "{}").unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion);
}
