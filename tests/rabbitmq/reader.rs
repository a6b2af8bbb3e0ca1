//! A member that notes what its source says.

use std::future::poll_fn;

use jitney_core::Error;
use jitney_core::transport::{
    Delivery, Demand, Epoch, Settle, SettleError, Settlement, SourceEvent, Subscribed, Subscription,
    Transport,
};
use jitney_rabbitmq::RabbitMq;

use super::server::within;

pub(crate) struct Reader {
    pub(crate) subscribed: Subscribed,
    pub(crate) lost: Vec<Epoch>,
    pub(crate) revoking: Vec<Epoch>,
    pub(crate) errors: Vec<Error>,
}

impl Reader {
    pub(crate) async fn join(transport: &RabbitMq, subscription: Subscription) -> Self {
        let subscribed = within(transport.subscribe(subscription)).await.unwrap();
        Reader { subscribed, lost: Vec::new(), revoking: Vec::new(), errors: Vec::new() }
    }

    /// Reads until something that is no delivery was noted, or deliveries came.
    pub(crate) async fn step(&mut self) -> Vec<Delivery> {
        let demand = Demand { events: 100, bytes: usize::MAX };
        match within(poll_fn(|cx| self.subscribed.source.poll_next(cx, demand))).await {
            Ok(SourceEvent::Deliveries(deliveries)) => return deliveries,
            Ok(SourceEvent::Lost { epoch }) => self.lost.push(epoch),
            Ok(SourceEvent::Revoking { epoch, .. }) => self.revoking.push(epoch),
            Ok(SourceEvent::Closed) => panic!("the source was closed"),
            Err(error) => self.errors.push(error),
        }
        Vec::new()
    }

    /// The next deliveries.
    pub(crate) async fn take(&mut self) -> Vec<Delivery> {
        loop {
            let deliveries = self.step().await;
            if !deliveries.is_empty() {
                return deliveries;
            }
        }
    }

    pub(crate) async fn settle(&self, delivery: &Delivery, settle: Settle) -> Result<(), SettleError> {
        within(self.subscribed.settler.settle(vec![Settlement::new(delivery.token, settle)])).await
    }

    pub(crate) async fn ack(&self, delivery: &Delivery) {
        self.settle(delivery, Settle::Ack).await.unwrap();
    }
}

pub(crate) fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.message.body).unwrap()
}
