//! The same application as a function of AWS Lambda: nothing is fetched, each invocation brings what is to be handled.
//!
//! ```no_run
//! use jitney_core::handler::HandlerSet;
//! use jitney_core::{App, Bus};
//! use jitney_eventbridge::{EventBridge, lambda};
//!
//! // Production, tests and Lambda build the same thing.
//! fn app(bus: Bus) -> App {
//!     App::new("orders", bus).handlers(HandlerSet::new())
//! }
//!
//! # async fn example() -> Result<(), jitney_core::Error> {
//! // Region and credentials are in a function's environment.
//! let bridge = EventBridge::from_url("eventbridge://orders").await?;
//! lambda::run(app(Bus::new(bridge))).await
//! # }
//! ```
//!
//! Invocations are told apart by their shape:
//!
//! - **A batch of an SQS queue** is answered with the records that are to come again
//!   ([partial batch response](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html)). Where the
//!   application has several groups, a record goes to the group whose queue it is from.
//! - **An event of EventBridge**, as a rule hands it over that has the function as its target and leaves its input as it is,
//!   goes to every group that has a handler for it, or to all, which skip and count it. Where one group fails, the invocation
//!   fails and the event comes again to all of them: have one group in such a function.
//!
//! A body is read by the codec of its group's bus: an [`EventBridge`](crate::EventBridge) has the right one, another bus is given
//! [`DetailJson`](crate::DetailJson).
//!
//! # What is answered
//!
//! Outputs of a handler are published before the answer. A record is done when it was handled or skipped, or when it became a
//! dead letter that is stored: in the queue `{group}-dead-letters` where the group's bus is an EventBridge, and where other
//! buses have them if they can store what they did not deliver. It comes again when its handler asked for that, when it was not
//! decided [in time](Lambda::margin), and when its dead letter could not be stored. Behind such a record of a FIFO queue, all of
//! its message group come again, whether they were handled or not.
//!
//! # What to set up
//!
//! - The event source mapping of a queue: `ReportBatchItemFailures`. Without it, Lambda deletes batches whole.
//! - The queue: a visibility time-out of six times the function's time-out, as AWS advises (it is also the pause before what
//!   failed comes again), and a redrive policy, which ends what never is handled in time.
//! - The function: a time-out above what a handler takes with its retries, which happen within the invocation.
//! - Its role: `sqs:GetQueueUrl` and `sqs:SendMessage` on `{group}-dead-letters`, `events:DescribeEventBus`, and
//!   `events:PutEvents` where handlers return events. Queues and rules are made beforehand
//!   ([`App::provision`](jitney_core::App::provision), or by a [plan](crate::plan)).
//! - A rule's target: a dead-letter queue and a retry policy of its own; Lambda tries an event twice again by default.
//!
//! # Life
//!
//! `on_start` hooks run at the cold start. Lambda freezes the process between invocations and ends it without a word, unless
//! an extension is registered: do not rely on `on_stop`. A handler is idempotent across invocations only with a store outside
//! of the process.

mod environment;
mod function;
mod invocation;
mod record;

use std::time::Duration;

use jitney_core::{App, Error, ErrorKind};
use lambda_runtime::service_fn;

use function::Function;

/// Serves the invocations of a function with the handlers of `app`. See [`Lambda::run`].
///
/// # Errors
///
/// As [`Lambda::run`].
///
/// # Cancellation
///
/// As [`Lambda::run`].
pub async fn run(app: App) -> Result<(), Error> {
    Lambda::new(app).run().await
}

/// An application as a function, before it runs.
#[derive(Debug)]
#[must_use = "it serves nothing until it is run"]
pub struct Lambda {
    app: App,
    margin: Duration,
}

impl Lambda {
    /// The function that serves invocations with the handlers of `app`.
    pub fn new(app: App) -> Self {
        Lambda { app, margin: Duration::from_millis(500) }
    }

    /// Stops handlers so long before the time-out of the invocation, so that what is done is still answered; half of it is for
    /// storing dead letters. By default 500 ms.
    pub fn margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// Starts the application, and serves invocations one after the other for as long as the process lives.
    ///
    /// # Errors
    ///
    /// Every mistake in the set-up, and errors of `on_start` hooks, which Lambda is told of as well; that this process is no
    /// function of Lambda, or that Lambda does not answer. The `on_stop` hooks have then run, and the buses are closed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future abandons the invocation that runs, whose events come again; no hook runs.
    pub async fn run(self) -> Result<(), Error> {
        environment::check()?;
        let server = match self.app.serve_batches().await {
            Ok(server) => server,
            Err(error) => {
                environment::report(&error).await;
                return Err(error);
            }
        };
        let function = Function::new(server, self.margin);
        let served = lambda_runtime::run(service_fn(|event| function.serve(event))).await;
        let served = served.map_err(|error| {
            Error::new(ErrorKind::Transport, format!("asking Lambda for invocations: {error}"))
        });
        let stopped = function.stop().await;
        served.and(stopped)
    }
}
