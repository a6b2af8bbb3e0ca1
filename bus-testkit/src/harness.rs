//! Tests of applications: the production builder on the memory bus, in virtual time.
//!
//! ```
//! # use jitney_core::{App, Bus};
//! # use jitney_core::handler::{HandlerSet, HandlerSpec};
//! # use jitney_core::event::{DecodeError, DomainEvent, EventType, Keyed, StoredPayload, Version};
//! # #[derive(Debug, serde::Serialize, serde::Deserialize)] struct OrderPaid { order_id: String }
//! # impl DomainEvent for OrderPaid {
//! #     const TYPES: &'static [EventType] = &[EventType::new("OrderPaid", "Order", Version::new(1, 0), "Order-events")];
//! #     fn event_type(&self) -> &'static EventType { &Self::TYPES[0] }
//! #     fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> { payload.read() }
//! # }
//! # impl Keyed for OrderPaid { fn aggregate_id(&self) -> String { self.order_id.clone() } }
//! # #[derive(Debug, serde::Serialize, serde::Deserialize)] struct OrderShipped { order_id: String }
//! # impl DomainEvent for OrderShipped {
//! #     const TYPES: &'static [EventType] = &[EventType::new("OrderShipped", "Order", Version::new(1, 0), "Order-events")];
//! #     fn event_type(&self) -> &'static EventType { &Self::TYPES[0] }
//! #     fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> { payload.read() }
//! # }
//! # impl Keyed for OrderShipped { fn aggregate_id(&self) -> String { self.order_id.clone() } }
//! # async fn ship(paid: OrderPaid) -> OrderShipped { OrderShipped { order_id: paid.order_id } }
//! use jitney_testkit::{TestApp, TestConfig, run_test};
//!
//! fn app(bus: Bus) -> App {
//!     App::new("orders", bus).handlers(HandlerSet::new().handler(HandlerSpec::new("ship"), ship))
//! }
//!
//! run_test(TestConfig { name: "a_paid_order_is_shipped", semantics: Some("eventbridge"), seeds: 20, seed: None }, || async {
//!     let app = TestApp::run(app).await;
//!     app.publish(&OrderPaid { order_id: "42".into() }).await;
//!     app.settled().await;
//!     app.assert_published::<OrderShipped>(|shipped| shipped.order_id == "42");
//!     app.assert_no_dead_letters();
//! });
//! ```

mod app;
mod inspect;
mod run;

pub use app::{TestApp, TestRun};
pub use run::{TestConfig, TestResult, run_test};
