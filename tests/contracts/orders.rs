//! As much of the example as its events need.

#[path = "../../examples/orders/events.rs"]
pub mod events;
#[path = "../../examples/orders/item.rs"]
pub mod item;
#[path = "../../examples/orders/money.rs"]
pub mod money;
#[path = "../../examples/orders/order.rs"]
pub mod order;
#[cfg(feature = "privacy")]
#[path = "../../examples/orders/recipient.rs"]
pub mod recipient;
