//! What the lock folder takes: the events as they are locked, under other names in Rust, with more that is optional, or beyond what
//! tokens say.

#![allow(unused)]

use jitney::prelude::*;

mod same {
    use super::*;

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = order_id, version = "2.0", schemas = "../locked/schemas")]
    struct OrderPaid {
        order_id: String,
        cents: u64,
        note: Option<String>,
    }
}

mod renamed_in_rust {
    use super::*;

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[serde(rename_all = "snake_case")]
    #[event(aggregate = "Order", id = id, type = "OrderPaid", version = "2.4", schemas = "../locked/schemas")]
    struct Paid {
        #[serde(rename = "order_id")]
        id: Box<String>,
        cents: u64,
        note: Option<String>,
        currency: Option<String>,
        #[serde(skip)]
        cached: bool,
    }
}

mod beyond_tokens {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Money {
        cents: u64,
    }

    type Text = String;

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = order_id, version = "2.0", schemas = "../locked/schemas")]
    struct OrderPaid {
        order_id: Text,
        #[serde(flatten)]
        money: Money,
        #[serde(default)]
        note: Text,
    }
}

mod an_option_by_another_name {
    use super::*;

    type Note = Option<String>;

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = order_id, version = "2.1", schemas = "../locked/schemas")]
    struct OrderPaid {
        order_id: String,
        cents: u64,
        note: Note,
        boxed: Box<Note>,
    }
}

mod compared_with_none {
    use super::*;

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = order_id, version = "2.0", schemas = false)]
    struct OrderPaid {
        order_id: u64,
    }
}

mod a_new_major_version {
    use super::*;

    #[derive(Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "Order", id = order_id, version = "3.0", schemas = "../locked/schemas")]
    struct OrderPaid {
        order_id: u64,
    }
}

fn main() {}
