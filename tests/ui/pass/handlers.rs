//! Handlers of every kind, called as functions and listed.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use jitney::prelude::*;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
}

mod module {
    use super::*;

    #[handler]
    pub async fn other(paid: OrderPaid) -> Vec<OrderPaid> {
        vec![paid]
    }

    #[handler(name = "raw")]
    pub(super) async fn r#match(_paid: OrderPaid) {}
}

use module::r#match;

#[handler(idempotent(key = |paid: &OrderPaid| paid.order_id.len()), ordered = false)]
async fn returns_something_unnamed(paid: OrderPaid) -> Result<impl jitney::event::Keyed, HandlerError> {
    Ok(paid)
}

#[handler]
#[cfg(any())]
async fn not_there(paid: Missing) {}

#[derive(Debug)]
enum Trouble {
    Short(u8),
    Long(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("trouble")
    }
}

impl std::error::Error for Trouble {}

#[handler(retry(permanent = Trouble::Short(0) | Trouble::Long(_)))]
async fn fails(_paid: Envelope<OrderPaid>, _bus: Bus, _publisher: Publisher) -> Result<(), Trouble> {
    Err(Trouble::Long(format!("{:?}", Trouble::Short(1))))
}

struct Shipping;

#[handler]
impl Shipping {
    #[handler]
    async fn on_paid(&self, paid: OrderPaid) -> Option<OrderPaid> {
        Some(paid)
    }

    #[cfg(any())]
    #[handler]
    async fn not_there(&self, paid: Missing) {}
}

struct Generic<T>(T);

#[handler(concurrency = 4)]
impl<T: Clone> Generic<T>
where
    T: Into<String>,
{
    #[jitney::handler(idempotent)]
    async fn on_paid(&self, _paid: OrderPaid) -> OrderPaid {
        OrderPaid { order_id: self.0.clone().into() }
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a handler that does not wait is done at once"),
    }
}

fn main() {
    #[handler]
    async fn local(_paid: OrderPaid) {}

    let paid = || OrderPaid { order_id: "42".into() };
    assert_eq!(now(module::other(paid())).len(), 1);
    now(module::r#match(paid()));
    now(local(paid()));
    assert!(now(Shipping.on_paid(paid())).is_some());
    assert_eq!(now(Generic("x").on_paid(paid())).order_id, "x");

    let shared = Arc::new(Generic("x".to_owned()));
    let (one, two) = (Generic("a"), handlers![local]);
    let all = handlers![
        local, r#match, module::other, self::fails, returns_something_unnamed, Shipping, Shipping {}, Generic("y"),
        (one), (two), Arc::clone(&shared), shared.clone(),
    ];
    assert_eq!(all.len(), 12);
    assert!(handlers![].is_empty());
}
