//! Events of one name that belong to different aggregates.

use std::convert::Infallible;

use jitney::handler::HandlerSpec;
use jitney::prelude::*;
use jitney::sourcing::process::{Actions, MemoryProcessStore, ProcessContext, ProcessManager, ProcessRunner};
use jitney_testkit::TestApp;

use crate::backend::{Backend, Memory};

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "CancelledOrder", id = order, type = "Cancelled")]
struct OrderCancelled {
    order: String,
}

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "CancelledPayment", id = order, type = "Cancelled")]
struct PaymentCancelled {
    order: String,
}

#[derive(OneOf)]
enum Cancelled {
    Order(OrderCancelled),
    Payment(PaymentCancelled),
}

/// What was cancelled of an order.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cancellation {
    orders: u32,
    payments: u32,
}

impl ProcessManager for Cancellation {
    type Input = Cancelled;
    type Deadline = ();
    type Error = Infallible;
    const NAME: &'static str = "cancellation";

    fn key(input: &Cancelled) -> Option<String> {
        match input {
            Cancelled::Order(OrderCancelled { order }) | Cancelled::Payment(PaymentCancelled { order }) => {
                Some(order.clone())
            }
        }
    }

    fn starts(_: &Cancelled) -> bool {
        true
    }

    fn handle(&mut self, input: Cancelled, _: &ProcessContext<'_>) -> Result<Actions<()>, Infallible> {
        match input {
            Cancelled::Order(_) => self.orders += 1,
            Cancelled::Payment(_) => self.payments += 1,
        }
        Ok(Actions::new())
    }

    fn on_deadline(&mut self, (): (), _: &ProcessContext<'_>) -> Result<Actions<()>, Infallible> {
        Ok(Actions::new())
    }
}

const EACH_ITS_OWN: Cancellation = Cancellation { orders: 1, payments: 2 };

fn order() -> OrderCancelled {
    OrderCancelled { order: "o-1".to_owned() }
}

fn payment() -> PaymentCancelled {
    PaymentCancelled { order: "o-1".to_owned() }
}

#[tokio::test]
async fn an_event_store_gives_each_to_its_own_variant() {
    let backend = Memory::new().await;
    backend.append("1", &payment()).await;
    backend.append("2", &order()).await;
    backend.append("3", &payment()).await;
    let runner = backend.runner::<Cancellation>().await;
    runner.catch_up().await.unwrap();
    assert_eq!(runner.look("o-1").await.unwrap().unwrap().state, EACH_ITS_OWN);
}

#[jitney::test]
async fn a_bus_reads_the_topics_of_both_and_gives_each_to_its_own_variant() {
    let runner = ProcessRunner::<Cancellation>::new(MemoryProcessStore::new());
    let flow = runner.clone();
    let app = TestApp::run(move |bus| {
        App::new("cancellations", bus).handlers(flow.handlers(HandlerSpec::new("cancellation")))
    })
    .await;
    app.publish(&payment()).await;
    app.publish(&order()).await;
    app.publish(&payment()).await;
    app.settled().await;
    assert_eq!(runner.look("o-1").await.unwrap().unwrap().state, EACH_ITS_OWN);
}

#[test]
fn an_event_of_an_aggregate_that_none_has_is_known_by_its_name_where_that_is_one_alone() {
    use jitney::event::{OneOf as _, StoredPayload, Version};

    #[derive(Debug, Serialize, Deserialize, DomainEvent)]
    #[event(aggregate = "CancelledPayment", id = order)]
    struct Refunded {
        order: String,
    }
    #[derive(OneOf)]
    enum Followed {
        Order(OrderCancelled),
        Payment(PaymentCancelled),
        Refund(Refunded),
    }
    let payload =
        |name| StoredPayload::new(name, Version::new(1, 0), br#"{"order":"o-1"}"#).of_aggregate("elsewhere");
    assert!(matches!(Followed::read(&payload("Refunded")), Ok(Followed::Refund(_))));
    let Err(error) = Followed::read(&payload("Cancelled")) else { panic!("it is given to one of them") };
    let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(why.ends_with("none is of the aggregate `elsewhere`"), "{why}");
    let Err(error) = Followed::read(&payload("Other")) else { panic!("nobody has it") };
    assert!(std::error::Error::source(&error).is_some_and(|why| why.to_string().starts_with("no upcaster")));
}
