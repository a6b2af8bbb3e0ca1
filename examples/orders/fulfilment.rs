//! Fulfilment: what is paid is confirmed and shipped, what is released is cancelled.

use jitney::prelude::*;

use super::events::{OrderProgress, PaymentTaken, StockReleased};

pub struct Fulfilment;

#[handler(group = "fulfilment", concurrency = 32, idempotent)]
impl Fulfilment {
    #[handler]
    async fn confirm(&self, paid: PaymentTaken) -> OrderProgress {
        OrderProgress::Confirmed { order_id: paid.order_id, shipped_at: paid.shipped_at }
    }

    #[handler]
    async fn cancel(&self, released: StockReleased) -> OrderProgress {
        OrderProgress::Cancelled { order_id: released.order_id, reason: released.reason }
    }

    /// Ships what has a date of shipping.
    #[handler]
    async fn ship(&self, progress: OrderProgress) -> Option<OrderProgress> {
        match progress {
            OrderProgress::Confirmed { order_id, shipped_at: Some(shipped_at) } => {
                Some(OrderProgress::Shipped { order_id, shipped_at })
            }
            _ => None,
        }
    }
}
