//! Lines that are no orders: said, put aside, and no reason to stop.

use jitney::memory::Semantics;

use crate::{Run, first};

#[test]
fn every_kind_of_bad_line_is_named_and_the_rest_goes_on() {
    let item = |fields: &str| {
        format!(r#"{{"orderId":"1","customerId":"A","orderedAt":"1996-07-04","items":[{{{fields}}}]}}"#)
    };
    let bad = [
        "no json".to_owned(),
        r#"{"orderId":"1"}"#.to_owned(),
        r#"{"orderId":"1","customerId":"A","orderedAt":"x","items":[]}"#.to_owned(),
        item(r#""productId":"11","quantity":-2,"price":1,"discount":0"#),
        item(r#""productId":"11","quantity":0,"price":1,"discount":0"#),
        item(r#""productId":"999","quantity":1,"price":1,"discount":0"#),
        item(r#""productId":"11","quantity":1,"price":"much","discount":0"#),
        item(r#""productId":"11","quantity":1,"price":-1,"discount":0"#),
        item(r#""productId":"11","quantity":1,"price":1,"discount":1.5"#),
    ];
    let input = format!("{}\n{}\n{}", bad.join("\n"), "", first(3));
    let ran = Run::new(Semantics::Kafka).on(&input);
    assert_eq!(
        ran.rejects,
        [
            "line 1: expected ident at line 1 column 2",
            "line 2: missing field `customerId` at line 1 column 15",
            "line 3: the order has no items",
            "line 4: product `11`: a quantity of -2 cannot be",
            "line 5: product `11`: a quantity of 0 cannot be",
            "line 6: there is no product `999`",
            "line 7: product `11`: the price \"much\" is no number",
            "line 8: product `11`: the price -1 is negative",
            "line 9: product `11`: a discount of 1.5 is more than everything",
        ],
    );
    assert_eq!(ran.report.orders, 3);
}
