//! What is around a handler, from the outside in: dedup( retry( breaker( timeout( catch_panic( layers( handler )))))).

mod breaker;
mod layer;
mod retry;

pub(crate) use breaker::{Breaker, Permit};
pub use breaker::{BreakerPolicy, BreakerState};
pub use layer::{Middleware, Next};
pub use retry::RetryPolicy;
