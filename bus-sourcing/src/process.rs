//! Process managers (sagas): what follows from events of several aggregates, over time.
//!
//! A [`ProcessManager`] has a state for each key (an order, say), follows events, and answers each with [`Actions`]: events and
//! commands to send, deadlines to set and to cancel, compensations to keep for later. It is pure: a [`ProcessRunner`] loads the
//! state from a [`ProcessStore`], and stores it with all that follows in one transaction. So an input that comes again changes
//! nothing, and what was sent is what the state says.
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! use jitney_derive::{DomainEvent, OneOf};
//! use jitney_sourcing::process::{Actions, MemoryProcessStore, ProcessContext, ProcessManager, ProcessRunner};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Order", id = order, crate = "jitney_core")]
//! struct OrderPlaced { order: String }
//!
//! #[derive(Debug, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Payment", id = order, crate = "jitney_core")]
//! struct PaymentTaken { order: String }
//!
//! #[derive(Debug, Serialize, Deserialize, DomainEvent)]
//! #[event(aggregate = "Payment", id = order, crate = "jitney_core")]
//! struct RemindCustomer { order: String }
//!
//! #[derive(OneOf)]
//! #[one_of(crate = "jitney_core")]
//! enum Followed { Placed(OrderPlaced), Paid(PaymentTaken) }
//!
//! #[derive(Serialize, Deserialize)]
//! enum Deadline { Payment }
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Reminder { reminded: u32 }
//!
//! impl ProcessManager for Reminder {
//!     type Input = Followed;
//!     type Deadline = Deadline;
//!     type Error = Infallible;
//!     const NAME: &'static str = "reminder";
//!
//!     fn key(input: &Followed) -> Option<String> {
//!         match input {
//!             Followed::Placed(OrderPlaced { order }) | Followed::Paid(PaymentTaken { order }) => Some(order.clone()),
//!         }
//!     }
//!
//!     fn starts(input: &Followed) -> bool {
//!         matches!(input, Followed::Placed(_))
//!     }
//!
//!     fn handle(&mut self, input: Followed, _: &ProcessContext<'_>) -> Result<Actions<Deadline>, Infallible> {
//!         Ok(match input {
//!             Followed::Placed(_) => Actions::new().schedule(Deadline::Payment, Duration::from_secs(86_400)),
//!             Followed::Paid(_) => Actions::new().complete(),
//!         })
//!     }
//!
//!     fn on_deadline(&mut self, _: Deadline, cx: &ProcessContext<'_>) -> Result<Actions<Deadline>, Infallible> {
//!         self.reminded += 1;
//!         Ok(Actions::new().send(&RemindCustomer { order: cx.key().to_owned() }))
//!     }
//! }
//!
//! # fn main() {
//! let store = MemoryProcessStore::new();
//! let runner = ProcessRunner::<Reminder>::new(store.clone());
//! // `runner.follow(event_store)` takes the inputs from an event store, `runner.handlers(…)` from a bus.
//! # let _ = runner;
//! # }
//! ```
//!
//! # What happens to an input
//!
//! | the input | what happens |
//! |---|---|
//! | has no key | ignored |
//! | is of a process that is not there, and may start one | a process begins with it |
//! | is of a process that is not there, and may not start one | ignored, counted with `reason="unknown"` |
//! | is of a process that was completed | ignored, counted with `reason="completed"` |
//! | was handled before, by the id of the event | ignored, counted with `reason="repeated"` |
//! | is of an open process | handled |
//!
//! What is ignored leaves no trace: where an input may overtake the one that starts its process, let
//! [`starts`](ProcessManager::starts) say yes to both.
//!
//! # Numbers
//!
//! | metric | says |
//! |---|---|
//! | `jitney_process_handled_total` | inputs that were handled, by `process` |
//! | `jitney_process_ignored_total` | inputs that were ignored, by `process` and `reason` |
//! | `jitney_process_completed_total` | processes that were completed |
//! | `jitney_process_deadlines_total` | deadlines that have fired |
//! | `jitney_process_failed_total` | attempts at an input or a deadline that failed and will fail again |
//! | `jitney_process_parked_total` | inputs that were put aside |
//! | `jitney_process_open` | processes that are open |
//! | `jitney_process_overdue_deadlines` | deadlines that should have fired by now |

mod actions;
mod bus;
mod context;
mod deadlines;
mod engine;
mod follow;
mod inspect;
mod instance;
mod manager;
mod memory;
mod numbers;
mod outgoing;
mod panics;
mod parked;
mod record;
mod runner;
mod running;
mod sealed;
mod store;
mod work;

pub use actions::Actions;
pub use context::{Cause, ProcessContext};
pub use engine::Handling;
pub use inspect::{ProcessView, RunnerStatus};
pub use instance::{DeadlineChange, Effects, ProcessInstance};
pub use manager::ProcessManager;
pub use memory::MemoryProcessStore;
pub use outgoing::OutgoingEvent;
pub use parked::ParkedInput;
pub use record::{
    CheckpointMove, DueDeadlines, ListProcesses, Loaded, PendingDeadline, ProcessChange, ProcessCommit,
    ProcessCounts, ProcessInfo, ProcessStep, StoredProcess,
};
pub use runner::{OnFailure, ProcessRunner};
pub use running::RunningProcess;
pub use store::ProcessStore;
