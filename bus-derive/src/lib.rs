//! Jitney's macros: `#[derive(DomainEvent)]` for events, `#[handler]` and `handlers![…]` for handlers, and
//! `#[jitney::test]` for tests of them.
//!
//! Applications use them through the facade crate `jitney`. Whatever a macro writes can be written by hand as well:
//! see the modules `event` and `handler` of `jitney`.
//!
//! Every macro reads its attributes, checks all of them, and only then expands; it reports all mistakes at once, each
//! at the words that it is about.

mod duration;
mod errors;
mod event;
mod handler;
mod handlers_list;
mod keys;
mod locked;
mod one_of;
mod projection;
mod serde_names;
mod spans;
mod test_attribute;

use proc_macro::TokenStream;
use quote::quote;

/// Makes an event of a struct, or of an enum with an event type for each variant.
///
/// ```
/// use jitney::prelude::*;
///
/// #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
/// #[event(aggregate = "Order", id = order_id, version = "2.0", upcast_from = OrderPlacedV1)]
/// pub struct OrderPlaced { pub order_id: String, pub currency: String }
///
/// #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
/// #[event(aggregate = "Order", id = order_id, type = "OrderPlaced")] // version 1.0
/// pub struct OrderPlacedV1 { pub order_id: String }
///
/// impl From<OrderPlacedV1> for OrderPlaced {
///     fn from(old: OrderPlacedV1) -> Self {
///         OrderPlaced { order_id: old.order_id, currency: "EUR".into() }
///     }
/// }
///
/// // All events of one aggregate; their id comes from the stream that they are stored in, or from `publish_for`.
/// #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
/// #[event(aggregate = "Account")]
/// pub enum AccountEvent {
///     Opened { owner: String },
///     #[event(version = "1.1")]
///     Deposited { cents: u64, note: Option<String> },
///     Closed,
/// }
///
/// assert_eq!(OrderPlaced::TYPES[0].to_string(), "OrderPlaced 2.0");
/// assert_eq!(AccountEvent::Closed.event_type().name(), "Closed");
/// ```
///
/// The type must implement serde's `Serialize` and `Deserialize`; `rename`, `rename_all`, `default`, `flatten` and
/// their like work as usual. An enum has to be externally tagged, as serde has it by default: on the wire the event
/// type names the variant, and the payload is the content of the variant alone (`{}` where there is none).
///
/// # Keys on the type
///
/// | key | says | default |
/// |---|---|---|
/// | `aggregate = "Order"` | the type of the aggregate that the event happened to | none: it must be given, except beside `source` |
/// | `type = "OrderPlaced"` | the name of the event type; of structs only | the name that serde gives to the type, which is the one in Rust unless it is renamed |
/// | `version = "2.1"` | major and minor version of the schema, the major from 1; of structs only | `1.0` |
/// | `id = order_id` | the field with the aggregate's id, of a type with `Display`; makes the event `Keyed` | none: publish with `publish_for` |
/// | `key = customer_id` | the field with the key that decides on lane and partition | the aggregate's id |
/// | `topic = "orders"` | where the event is published to | the aggregate, followed by `-events` |
/// | `upcast_from = OrderPlacedV1` | the event of the major version before; of structs only | none |
/// | `upcast_json(1 = to_v2, 2 = to_v3)` | functions from the JSON of each old major version to the next; of structs only | none |
/// | `source = "aws.s3"` | the foreign system that sends the event, without an envelope; takes the place of `aggregate` where that is not given | none |
/// | `schemas = "schemas"` | the folder of locked schemas, from the folder of the file that this is written in; `schemas = false` compares with none, as for a double in a test | `schemas` beside `Cargo.toml` |
/// | `crate = "bus"` | the name under which `jitney` is imported | `jitney` |
///
/// `id` and `key` may reach into fields: `id = header.order_id`, or `id = 0` in a tuple struct. On an enum every
/// variant needs the field.
///
/// # Keys on a variant
///
/// `type`, `version`, `upcast_from` and `upcast_json`, as above; `type` defaults to serde's name for the variant. The
/// old type of `upcast_from` is converted to the whole enum. Two variants cannot have one name.
///
/// # Keys on a field
///
/// | key | says | default |
/// |---|---|---|
/// | `pseudonym = "analytics"`, `pseudonym` | a pseudonym for this purpose is written in the place of the field's text (`jitney::privacy`) | the value is written; the purpose is `default` |
/// | `subject = "customer/{customer_id}"` | whom the pseudonym is about, with the event's fields in braces: it is forgotten with that subject | it belongs to the value |
///
/// # Versions
///
/// A minor version adds fields, which older readers ignore and newer ones take the default of. A major version breaks,
/// and is read by the readers of another one only through an upcaster: a type that `From` or `TryFrom` converts, which
/// may have an upcaster itself, or functions `fn(serde_json::Value) -> Result<serde_json::Value, E>` where the old type
/// is not worth keeping. An upcaster that skips a major version does not compile. A type of major version 2 or more may
/// go without one, when nothing older is left to be read: what is, then becomes a dead letter.
///
/// # Locked schemas
///
/// Where the event's contract is locked (`jitney::contract`, behind the feature `schema`), there is a file for each version,
/// `schemas/{aggregate}/{type}/{version}.json`, and the derive reads it, without that feature too: a field that is gone, renamed, retyped
/// or newly required without a new version does not compile, and neither does a minor version that does so to the one before. Types
/// are known by their names alone; the rest is found by the contract's test.
///
/// # Type parameters
///
/// Bounds are put on the type as a whole, so that the event is one wherever it can be serialized and shared. Lifetimes
/// are refused: an event owns its data.
#[proc_macro_derive(DomainEvent, attributes(event))]
pub fn domain_event(input: TokenStream) -> TokenStream {
    event::derive(input.into()).into()
}

/// Makes one type of several events, of whatever aggregates: an enum whose variants have an event each.
///
/// ```
/// use jitney::event::OneOf as _;
/// use jitney::prelude::*;
/// # #[derive(Serialize, Deserialize, DomainEvent)]
/// # #[event(aggregate = "Order", id = order_id)]
/// # struct OrderPlaced { order_id: String }
/// # #[derive(Serialize, Deserialize, DomainEvent)]
/// # #[event(aggregate = "Payment", id = order_id)]
/// # struct PaymentTaken { order_id: String }
///
/// #[derive(OneOf)]
/// enum Followed {
///     Placed(OrderPlaced),
///     Paid(PaymentTaken),
/// }
///
/// let followed = Followed::from(PaymentTaken { order_id: "42".into() });
/// assert_eq!(followed.type_of().name(), "PaymentTaken");
/// ```
///
/// It implements `OneOf`, and `From` for the event of each variant. Events of one name are told apart by their aggregate; no
/// two variants may have the same event type of the same aggregate: where two do, the first one gets it. An event of an
/// aggregate that no variant has, as a program without this library may name it, is known by its name, where one variant alone
/// has that. `#[one_of(crate = "bus")]` says under which name `jitney` is imported.
#[proc_macro_derive(OneOf, attributes(one_of))]
pub fn one_of(input: TokenStream) -> TokenStream {
    one_of::derive(input.into()).into()
}

/// Makes a handler of an async function, or handlers of the methods of an impl block.
///
/// ```
/// use jitney::prelude::*;
/// # #[derive(Serialize, Deserialize, DomainEvent)]
/// # #[event(aggregate = "Order", id = order_id)]
/// # struct OrderPlaced { order_id: String }
/// # #[derive(Serialize, Deserialize, DomainEvent)]
/// # #[event(aggregate = "Order", id = order_id)]
/// # struct PaymentTaken { order_id: String }
/// # #[derive(Serialize, Deserialize, DomainEvent)]
/// # #[event(aggregate = "Order", id = order_id)]
/// # struct OrderShipped { order_id: String }
/// # #[derive(Clone)] struct Gateway;
/// # impl Gateway { async fn charge(&self, _: &str) -> Result<(), PaymentError> { Ok(()) } }
/// # #[derive(Debug)] enum PaymentError { Declined(String) }
/// # impl std::fmt::Display for PaymentError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("declined") }
/// # }
/// # impl std::error::Error for PaymentError {}
///
/// #[handler(group = "billing", concurrency = 32, idempotent,
///           retry(attempts = 5, from = "100ms", to = "30s", permanent = PaymentError::Declined(_)))]
/// async fn take_payment(
///     order: Envelope<OrderPlaced>,
///     State(gateway): State<Gateway>,
/// ) -> Result<PaymentTaken, PaymentError> {
///     gateway.charge(&order.order_id).await?;
///     Ok(PaymentTaken { order_id: order.order_id.clone() })
/// }
///
/// struct Shipping { carrier: String }
///
/// #[handler(group = "shipping")]
/// impl Shipping {
///     #[handler]
///     async fn on_paid(&self, paid: PaymentTaken) -> OrderShipped {
///         OrderShipped { order_id: paid.order_id }
///     }
/// }
///
/// let handlers = handlers![take_payment, Shipping { carrier: "DHL".into() }];
/// assert_eq!(handlers.len(), 2);
/// ```
///
/// The function stays a function, which tests can call. Beside it, in the namespace of types, stands a hidden type of
/// the same name, which is how [`handlers!`] finds it; `use` imports both.
///
/// # Arguments and results
///
/// First comes the event: `T`, `Envelope<T>`, `Batch<T>` or `RawEvent`, where `T` is an event. Up to seven extractors
/// follow: `State<T>`, `Metadata`, `Publisher`, `Bus`, or whatever implements `FromContext`. Nothing is borrowed. A
/// handler returns nothing, an event with a key, `Option`, `Vec` or a tuple of such, an `Outcome`, or a `Result` of any
/// of these; for a batch also `Each`. What it returns is published before the event is settled.
///
/// # Keys
///
/// | key | says | default |
/// |---|---|---|
/// | `group = "billing"` | handlers of one group share its deliveries, one handler per event type | the handler's name; in a block, the type's name in snake case |
/// | `name = "pay"` | the handler's name; the ids of what it returns depend on group and name, so keep it when the function is renamed | the function's name; in a block, the type's name in snake case, a dot, the method's |
/// | `concurrency = 32` | so many keys at once | the application's |
/// | `ordered` | the events of a key are handled in their order, and a bus that cannot do that is refused at start-up | off |
/// | `broadcast` | every process gets every event | off |
/// | `idempotent` | each event is handled once, by its id | off |
/// | `idempotent(key = invoice.number)` | the same by a field of the event, or by a function, `key = \|event: &T\| …` | |
/// | `exactly_once` | what the handlers of its group return becomes visible in one transaction with the settling, so that readers see the effect of each event once; a bus without transactions is refused at start-up; not with `idempotent` or `broadcast` | off |
/// | `retry(attempts = 5, from = "100ms", to = "30s")` | all attempts, the largest first delay, the largest delay | the application's |
/// | `retry(delayed)` | the broker holds the event back, and later ones of its key overtake; not with `ordered` | in place |
/// | `retry(permanent = MyError::Declined(_))` | a pattern of errors that no retry can help, several parted by `\|` | none |
/// | `timeout = "30s"` | the longest attempt | the application's |
/// | `breaker(failures = 10, pause = "10s")` | leaves the handler alone for a while when it keeps failing | none |
/// | `batch(size = 100)`, `batch = 100` | the most events at once, of a handler that takes `Batch<T>` | 100 |
/// | `crate = "bus"` | the name under which `jitney` is imported | `jitney` |
///
/// Times are written with their unit: `"100ms"`, `"30s"`, `"5m"`, `"1h"`. `ordered`, `broadcast`, `idempotent` and
/// `exactly_once` may be set to `false`.
///
/// # On an impl block
///
/// Each method with `#[handler]` takes `&self` and then what a function takes; the other methods are left alone. The
/// arguments of the block, without `name`, are those of each of its handlers; a method's own win, key by key (`retry` as
/// a whole). A value of the type goes into [`handlers!`], or an `Arc` of it where a test wants to look at it later.
#[proc_macro_attribute]
pub fn handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(arguments.into(), item.into()).into()
}

/// Lists handlers for an application: functions with `#[handler]` by their paths, values by any other expression.
///
/// ```
/// mod billing {
///     use jitney::prelude::*;
///
///     # #[derive(Serialize, Deserialize, DomainEvent)]
///     # #[event(aggregate = "Order", id = order_id)]
///     # pub struct OrderPlaced { order_id: String }
///     #[handler]
///     pub async fn take_payment(_order: OrderPlaced) {}
/// }
/// # use billing::OrderPlaced;
///
/// use jitney::prelude::*;
///
/// #[handler]
/// async fn ship(_order: OrderPlaced) {}
///
/// let others = handlers![billing::take_payment];
/// let all = handlers![ship, (others)];
/// assert_eq!(all.len(), 2);
/// ```
///
/// A bare path is always taken for a function: put a local variable into parentheses, as in `(others)`. Where rustc
/// says "expected struct, found function", the function lacks `#[handler]`; where it says "found local variable", the
/// parentheses are missing.
#[proc_macro]
pub fn handlers(input: TokenStream) -> TokenStream {
    handlers_list::handlers(input.into()).into()
}

/// Makes a projection of a type: each method with `#[handler]` changes the read model as its event says.
///
/// ```
/// use jitney::handler::HandlerError;
/// use jitney::prelude::*;
/// # use std::collections::BTreeMap;
///
/// # #[derive(Serialize, Deserialize, DomainEvent)]
/// # #[event(aggregate = "Order", id = order_id)]
/// # struct OrderPlaced { order_id: String, cents: u64 }
/// struct OrderTotals;
///
/// #[projection(name = "order_totals", version = 1)]
/// impl OrderTotals {
///     #[handler]
///     async fn placed(&self, placed: OrderPlaced, totals: &mut BTreeMap<String, u64>) -> Result<(), HandlerError> {
///         totals.insert(placed.order_id, placed.cents);
///         Ok(())
///     }
/// }
/// ```
///
/// A handler takes `&self`, its event (`T` or `Envelope<T>`; old versions are brought up to date), and the connection of the open
/// transaction. It returns nothing, or a `Result` without a value, of any error: one that a retry cannot help is a
/// `HandlerError::permanent`. Where several are for an event, they are called in the order of the block.
///
/// A method with `#[prepare]` takes `&self` and the connection, and makes the tables. One with `#[after_commit]` takes `&self` and
/// `&[StoredEvent]`, and is told what was committed, but not in a rebuild. Other methods are left alone.
///
/// | key | says | default |
/// |---|---|---|
/// | `name = "order_totals"` | what its checkpoints are stored under, and its place is called: up to 50 small letters, digits and `_` | |
/// | `version = 2` | raised when the handlers make another read model of the same events: it is then built anew | 1 |
/// | `crate = "bus"` | the name under which `jitney` is imported | `jitney` |
#[proc_macro_attribute]
pub fn projection(arguments: TokenStream, item: TokenStream) -> TokenStream {
    projection::projection(arguments.into(), item.into()).into()
}

/// Makes a test of an async function, run in virtual time on the memory bus; the crate `jitney-testkit` runs it.
///
/// ```
/// #[jitney::test]
/// async fn nothing_takes_no_time() {
///     assert_eq!(1 + 1, 2);
/// }
///
/// #[jitney::test(semantics = "eventbridge", seeds = 200)]
/// async fn holds_under_duplicates_and_disorder() -> Result<(), std::num::ParseIntError> {
///     "7".parse::<u8>().map(drop)
/// }
/// ```
///
/// The function takes nothing, and returns nothing or a `Result` whose error has `Debug`.
///
/// | key | says | default |
/// |---|---|---|
/// | `semantics = "eventbridge"` | the broker whose delivery rules the memory bus follows | Kafka's |
/// | `seeds = 200` | how many seeds are tried; with more than one, faults are injected, and a failure prints its seed | 1 |
/// | `seed = 7` | the only seed, to repeat a failure | |
/// | `crate = "kit"` | the name under which `jitney_testkit` is imported | `jitney_testkit` |
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test_attribute::test(arguments.into(), item.into()).into()
}

/// Where expansions find the core: behind the facade, unless `crate = "…"` names another way.
fn private(crate_path: Option<&syn::Path>) -> proc_macro2::TokenStream {
    match crate_path {
        Some(path) => quote!(#path::__private),
        None => quote!(::jitney::__private),
    }
}
