//! Aggregate ids and keys.

use jitney::prelude::*;

#[test]
fn the_id_is_the_text_of_a_field() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = number)]
    struct Named {
        number: u64,
    }

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = 1)]
    struct Tuple(u8, String);

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = r#type)]
    struct Raw {
        r#type: char,
    }

    assert_eq!(Named { number: 7 }.aggregate_id(), "7");
    assert_eq!(Tuple(7, "x".into()).aggregate_id(), "x");
    assert_eq!(Raw { r#type: 'c' }.aggregate_id(), "c");
    assert_eq!(Raw { r#type: 'c' }.key(), None);
}

#[test]
fn the_id_may_lie_in_a_field_of_a_field() {
    #[derive(Serialize, Deserialize)]
    struct Header {
        order: (u8, (u16, u32)),
        r#ref: String,
    }

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = header.r#ref, key = header.order.1.0)]
    struct Named {
        header: Box<Header>,
    }

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = 0.1, key = 0.0)]
    struct Tuple((u8, u16));

    let named = Named { header: Box::new(Header { order: (1, (2, 3)), r#ref: "r".into() }) };
    assert_eq!((named.aggregate_id(), named.key()), ("r".into(), Some("2".into())));
    let tuple = Tuple((1, 2));
    assert_eq!((tuple.aggregate_id(), tuple.key()), ("2".into(), Some("1".into())));
}

#[test]
fn an_enum_has_an_id_where_every_variant_has_the_field() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Account", id = id, key = owner)]
    enum Named {
        Opened { id: u32, owner: String },
        Closed { owner: String, id: String },
    }

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Account", id = 0.0)]
    enum Tuple {
        Opened((u8,)),
        Closed((u16, u8), String),
    }

    let opened = Named::Opened { id: 1, owner: "a".into() };
    let closed = Named::Closed { id: "2".into(), owner: "b".into() };
    assert_eq!((opened.aggregate_id(), opened.key()), ("1".into(), Some("a".into())));
    assert_eq!((closed.aggregate_id(), closed.key()), ("2".into(), Some("b".into())));
    assert_eq!(Tuple::Opened((1,)).aggregate_id(), "1");
    assert_eq!(Tuple::Closed((2, 3), "x".into()).aggregate_id(), "2");
}
