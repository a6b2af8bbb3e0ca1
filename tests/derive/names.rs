//! The names, versions, topics and sources of event types.

use jitney::event::{EventType, Version};
use jitney::prelude::*;

fn the_type<E: DomainEvent>() -> &'static EventType {
    let [event_type] = E::TYPES else { panic!("a struct is one event type") };
    event_type
}

#[test]
fn a_struct_is_called_as_in_rust_at_version_1_0() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order")]
    struct OrderPaid {}

    assert_eq!(
        *the_type::<OrderPaid>(),
        EventType::new("OrderPaid", "Order", Version::new(1, 0), "Order-events")
    );
    assert_eq!(OrderPaid {}.event_type(), the_type::<OrderPaid>());
}

#[test]
fn every_key_replaces_its_default() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", type = "Paid", version = "3.7", topic = "orders", source = "shop")]
    struct OrderPaid {}

    let expected = EventType::new("Paid", "Order", Version::new(3, 7), "orders").with_source("shop");
    assert_eq!(*the_type::<OrderPaid>(), expected);
}

#[test]
fn keys_may_be_spread_over_several_attributes() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order")]
    #[event(version = "2")]
    struct OrderPaid {}

    assert_eq!(the_type::<OrderPaid>().version(), Version::new(2, 0));
}

#[test]
fn a_foreign_event_belongs_to_its_source_unless_told_otherwise() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(source = "aws.s3", type = "Object Created")]
    struct ObjectCreated {}

    let expected =
        EventType::new("Object Created", "aws.s3", Version::new(1, 0), "aws.s3-events").with_source("aws.s3");
    assert_eq!(*the_type::<ObjectCreated>(), expected);
}

#[test]
fn serde_renames_the_type() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[serde(rename = "order.paid")]
    #[event(aggregate = "Order")]
    struct OrderPaid {}

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[serde(rename(serialize = "order.sent", deserialize = "order.sent"), deny_unknown_fields)]
    #[event(aggregate = "Order")]
    struct OrderSent {}

    assert_eq!(the_type::<OrderPaid>().name(), "order.paid");
    assert_eq!(the_type::<OrderSent>().name(), "order.sent");
}

#[test]
fn the_key_type_wins_over_serde() {
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[serde(rename = "order.paid")]
    #[event(aggregate = "Order", type = "Paid")]
    struct OrderPaid {}

    assert_eq!(the_type::<OrderPaid>().name(), "Paid");
}

#[test]
fn raw_identifiers_lose_their_prefix() {
    #[allow(non_camel_case_types)]
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order")]
    struct r#move {}

    #[allow(non_camel_case_types)]
    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order")]
    enum Change {
        r#struct,
    }

    assert_eq!(the_type::<r#move>().name(), "move");
    assert_eq!(the_type::<Change>().name(), "struct");
}

#[test]
fn variants_are_called_as_serde_calls_them() {
    fn names<E: DomainEvent>() -> Vec<&'static str> {
        E::TYPES.iter().map(EventType::name).collect()
    }

    macro_rules! with_rule {
        ($rule:literal) => {{
            #[derive(Serialize, Deserialize, DomainEvent)]
            #[serde(rename_all = $rule)]
            #[event(aggregate = "Order")]
            enum Events {
                PaidInFull(u8),
                #[serde(rename = "SENT")]
                Sent(u8),
                HTTPCall(u8),
                #[event(type = "Other")]
                Last(u8),
            }

            for event in [Events::PaidInFull(1), Events::Sent(1), Events::HTTPCall(1)] {
                let by_serde = serde_json::to_value(&event).unwrap();
                let key = by_serde.as_object().unwrap().keys().next().unwrap().clone();
                assert_eq!(event.event_type().name(), key, $rule);
            }
            assert_eq!(Events::Last(1).event_type().name(), "Other");
            names::<Events>()
        }};
    }

    assert_eq!(with_rule!("lowercase"), ["paidinfull", "SENT", "httpcall", "Other"]);
    assert_eq!(with_rule!("UPPERCASE"), ["PAIDINFULL", "SENT", "HTTPCALL", "Other"]);
    assert_eq!(with_rule!("PascalCase"), ["PaidInFull", "SENT", "HTTPCall", "Other"]);
    assert_eq!(with_rule!("camelCase"), ["paidInFull", "SENT", "hTTPCall", "Other"]);
    assert_eq!(with_rule!("snake_case"), ["paid_in_full", "SENT", "h_t_t_p_call", "Other"]);
    assert_eq!(with_rule!("SCREAMING_SNAKE_CASE"), ["PAID_IN_FULL", "SENT", "H_T_T_P_CALL", "Other"]);
    assert_eq!(with_rule!("kebab-case"), ["paid-in-full", "SENT", "h-t-t-p-call", "Other"]);
    assert_eq!(with_rule!("SCREAMING-KEBAB-CASE"), ["PAID-IN-FULL", "SENT", "H-T-T-P-CALL", "Other"]);
}
