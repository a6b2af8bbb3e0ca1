//! Every shape of variant, on the wire and back.

use jitney::event::DecodeErrorKind;
use jitney::prelude::*;

use crate::wire::{payload, round_trip, stored};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Address {
    city: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
#[serde(rename_all_fields = "camelCase")]
enum AccountEvent {
    Opened {
        owner_name: String,
        #[serde(flatten)]
        address: Address,
        #[serde(default)]
        note: Option<String>,
    },
    Closed,
    Emptied {},
    Nothing(),
    Counted(u64),
    Moved(Address),
    Paired(u8, String),
    #[event(version = "2.1")]
    #[serde(rename = "limit-set")]
    LimitSet {
        cents: u64,
    },
}

fn shapes() -> Vec<(AccountEvent, &'static str)> {
    let address = Address { city: "Oslo".into() };
    let opened = |note| AccountEvent::Opened { owner_name: "a".into(), address: address.clone(), note };
    vec![
        (opened(Some("n".into())), r#"{"ownerName":"a","city":"Oslo","note":"n"}"#),
        (opened(None), r#"{"ownerName":"a","city":"Oslo","note":null}"#),
        (AccountEvent::Closed, "{}"),
        (AccountEvent::Emptied {}, "{}"),
        (AccountEvent::Nothing(), "[]"),
        (AccountEvent::Counted(7), "7"),
        (AccountEvent::Moved(address.clone()), r#"{"city":"Oslo"}"#),
        (AccountEvent::Paired(1, "x".into()), r#"[1,"x"]"#),
        (AccountEvent::LimitSet { cents: 5 }, r#"{"cents":5}"#),
    ]
}

#[test]
fn the_payload_is_the_content_of_the_variant_alone() {
    for (event, expected) in shapes() {
        assert_eq!(payload(&event), expected);
    }
}

#[test]
fn every_shape_of_variant_survives_the_wire() {
    for (event, _) in shapes() {
        assert_eq!(round_trip(&event), event);
    }
}

#[test]
fn a_field_that_is_missing_takes_its_default() {
    let read: AccountEvent = stored("Opened", (1, 0), r#"{"ownerName":"a","city":"Oslo"}"#).unwrap();
    assert!(matches!(read, AccountEvent::Opened { note: None, .. }));
}

#[test]
fn every_minor_version_is_read_and_no_other_major() {
    for minor in [0, 1, 9] {
        let read: AccountEvent = stored("limit-set", (2, minor), r#"{"cents":5,"later":1}"#).unwrap();
        assert_eq!(read, AccountEvent::LimitSet { cents: 5 });
    }
    for major in [0, 1, 3] {
        let error = stored::<AccountEvent>("limit-set", (major, 0), r#"{"cents":5}"#).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion);
    }
}

#[test]
fn a_type_of_another_name_is_refused() {
    for name in ["LimitSet", "opened", ""] {
        let error = stored::<AccountEvent>(name, (1, 0), "{}").unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion);
    }
}

#[test]
fn a_payload_of_another_shape_is_an_error_that_says_where() {
    let error = stored::<AccountEvent>("Counted", (1, 0), r#""seven""#).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Payload);
    assert!(jitney::error_chain(&error).contains("line 1 column 7"), "{}", jitney::error_chain(&error));
}
