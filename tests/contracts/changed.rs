//! A field of an order event that is removed, renamed or retyped turns the contract red, with the fix.

use jitney::contract::{self, Accept, Contract, Events, ProblemKind};

use super::orders::events::{
    OrderCreated, OrderCreatedV1, OrderProgress, OrderRefused, PaymentDeclined, PaymentTaken, PlaceOrder,
    StockReleased, StockReserved,
};
use super::orders::order::OrderEvent;

/// The locked schemas of the example.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders/schemas");

fn events() -> Events {
    contract::events![
        PlaceOrder,
        OrderCreated,
        OrderCreatedV1,
        OrderRefused,
        StockReserved,
        StockReleased,
        PaymentTaken,
        PaymentDeclined,
        OrderProgress,
        OrderEvent,
    ]
}

#[test]
fn the_events_are_those_that_are_locked() {
    contract::check(FOLDER, events());
}

/// `PaymentTaken` with other fields.
macro_rules! changed {
    ($name:ident { $($field:tt)* }) => {
        mod $name {
            use jitney::prelude::*;

            #[allow(dead_code)]
            #[derive(Serialize, Deserialize, schemars::JsonSchema, DomainEvent)]
            #[serde(rename_all = "camelCase")]
            #[event(aggregate = "Order", id = order_id)]
            pub struct PaymentTaken { pub order_id: String, $($field)* }
        }
    };
}

changed!(removed { pub shipped_at: Option<String> });
changed!(renamed { pub total: rust_decimal::Decimal, pub shipped_at: Option<String> });
changed!(retyped { pub amount: bool, pub shipped_at: Option<String> });
changed!(required { pub amount: rust_decimal::Decimal, pub shipped_at: String });

/// Everything that is wrong where one event is changed, as one text.
#[track_caller]
fn says(events: Events) -> String {
    let contract = Contract::new(FOLDER, events).accept(Accept::Nothing).locked(true);
    let error = contract.verify().unwrap_err();
    let of_it = error.problems().iter().filter(|problem| problem.event() == "PaymentTaken");
    let of_it: Vec<_> = of_it.filter(|problem| problem.kind() == ProblemKind::Incompatible).collect();
    of_it.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_changed_field_is_red_with_the_fix() {
    for (events, field) in [
        (contract::events![removed::PaymentTaken], "$.amount"),
        (contract::events![renamed::PaymentTaken], "$.amount"),
        (contract::events![retyped::PaymentTaken], "$.amount"),
        (contract::events![required::PaymentTaken], "$.shippedAt"),
    ] {
        let text = says(events);
        assert!(text.contains(&format!("PaymentTaken 1.0, `{field}`, rule FULL_TRANSITIVE: ")), "{text}");
        assert!(text.contains("version = \"2.0\", upcast_from = PaymentTakenV1"), "{text}");
    }
    assert!(says(contract::events![renamed::PaymentTaken]).contains("under its old name"));
}
