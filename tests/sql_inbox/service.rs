//! A service with a database, and what it is asked.

use std::time::Duration;

use jitney::handler::{FromContext, HandlerFn, HandlerSpec};
use jitney::inbox::Inbox;
use jitney::middleware::RetryPolicy;
use jitney::outbox::OutboxStore;
use jitney::prelude::*;
use jitney::processed::{ProcessedEvents, ProcessedKey};
use jitney::sql::sqlx;
use jitney::{Env, Error, app::RunningApp};

use crate::scripted::Scripted;

/// The bound on every wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service with a database that has a table of its own: what its handlers have written.
pub(crate) trait Service: Send + Sync + Sized + 'static {
    type Tx: FromContext + 'static;
    type Inbox: Inbox + Clone;
    type Outbox: OutboxStore;

    /// The same service in another process, by what [`place`](Self::place) says.
    fn at(place: &str) -> impl Future<Output = Self> + Send;

    fn place(&self) -> String;

    fn inbox(&self) -> Self::Inbox;

    fn outbox(&self) -> Self::Outbox;

    /// `inbox`, which keeps marks for so long.
    fn keeping(inbox: &Self::Inbox, event_ids: Duration, natural_keys: Option<Duration>) -> Self::Inbox;

    fn clean(inbox: &Self::Inbox) -> impl Future<Output = Result<u64, Error>> + Send;

    /// Writes `row` into the table.
    fn write(tx: &mut Self::Tx, row: u32) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// What is written, in order.
    fn rows(&self) -> impl Future<Output = Vec<i64>> + Send;
}

/// The handler `take`, with attempts that follow each other at once.
pub(crate) fn take(attempts: u32) -> HandlerSpec {
    let millis = Duration::from_millis;
    HandlerSpec::new("take").retry(RetryPolicy::attempts(attempts).between(millis(1), millis(5)))
}

/// The application `shop` on `broker` with one handler and the inbox of `service`.
pub(crate) async fn shop<S, F, Args>(
    service: &S,
    broker: &Scripted,
    spec: HandlerSpec,
    handler: F,
) -> RunningApp
where
    S: Service,
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    let app = app(broker, spec, handler).inbox(service.inbox());
    app.spawn().await.unwrap()
}

pub(crate) fn app<F, Args>(broker: &Scripted, spec: HandlerSpec, handler: F) -> App
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    App::new("shop", Bus::builder(broker.clone()).build()).handlers(HandlerSet::new().handler(spec, handler))
}

/// Whether the group of [`take`] has handled the event `id`.
pub(crate) async fn has_handled<S: Service>(service: &S, id: &str) -> bool {
    service.inbox().contains("shop.take", ProcessedKey::event_id(id)).await.unwrap()
}

pub(crate) async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let waiting = async {
        while !done().await {
            Env::system().sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = Env::system().timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("it did not come to this: {what}"));
}

/// Waits until `number` deliveries are settled.
pub(crate) async fn settled(broker: &Scripted, number: usize) {
    until("deliveries are settled", async || broker.settled().len() >= number).await;
}
