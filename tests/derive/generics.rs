//! Events with type parameters, and events that do not see the facade.

use std::fmt;

use jitney::prelude::*;
use serde::de::DeserializeOwned;

use crate::wire::{payload, round_trip, stored};

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Thing", id = id)]
struct Changed<Id, T = (), const N: usize = 1>
where
    T: Clone,
{
    id: Id,
    to: Vec<T>,
}

#[test]
fn type_parameters_need_no_bounds_of_their_own() {
    let changed = Changed::<u64, String> { id: 7, to: vec!["x".into()] };
    assert_eq!(round_trip(&changed), changed);
    assert_eq!(changed.aggregate_id(), "7");
    assert_eq!(changed.event_type().name(), "Changed");
}

#[test]
fn generic_code_can_publish_them() {
    fn id_of<T>(event: &Changed<T, T>) -> String
    where
        T: Clone + fmt::Display + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        event.aggregate_id()
    }

    assert_eq!(id_of(&Changed { id: 1, to: vec![2] }), "1");
}

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Thing", version = "2", upcast_from = SetV1<T>)]
struct Set<T> {
    value: Option<T>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Thing", type = "Set")]
struct SetV1<T> {
    value: T,
}

impl<T> From<SetV1<T>> for Set<T> {
    fn from(old: SetV1<T>) -> Self {
        Set { value: Some(old.value) }
    }
}

#[test]
fn type_parameters_reach_the_old_version() {
    assert_eq!(stored::<Set<u8>>("Set", (1, 0), r#"{"value":7}"#).unwrap(), Set { value: Some(7) });
    assert_eq!(Set::<u8>::accepts().len(), 2);
}

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Thing")]
enum Either<A, B> {
    Left(A),
    Right { value: B },
    Neither,
}

#[test]
fn enums_may_be_generic() {
    for (event, expected) in [
        (Either::Left(1), "1"),
        (Either::Right { value: "x".to_owned() }, r#"{"value":"x"}"#),
        (Either::Neither, "{}"),
    ] {
        assert_eq!(payload(&event), expected);
        assert_eq!(round_trip(&event), event);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[serde(transparent)]
#[event(aggregate = "Thing", id = 0)]
struct Newtype(String);

#[derive(Debug, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Thing")]
struct Unit;

#[test]
fn structs_of_every_shape_survive_the_wire() {
    assert_eq!(payload(&Newtype("x".into())), r#""x""#);
    assert_eq!(round_trip(&Newtype("x".into())), Newtype("x".into()));
    assert_eq!(round_trip(&Unit), Unit);
}

mod renamed {
    //! The crate under another name; the usual one leads nowhere here.

    use ::jitney as bus;

    mod jitney {}

    #[derive(serde::Serialize, serde::Deserialize, bus::DomainEvent)]
    #[event(aggregate = "Thing", id = 0, crate = "bus")]
    pub(super) struct Renamed(pub(super) u8);
}

#[test]
fn the_crate_may_have_another_name() {
    assert_eq!(renamed::Renamed(7).aggregate_id(), "7");
}
