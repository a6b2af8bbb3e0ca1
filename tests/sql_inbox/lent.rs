//! Handlers that do not give back what they were lent.

use std::sync::{Arc, Mutex};

use jitney::dead_letter::Reason;
use jitney::handler::{Context, HandlerSpec, Reply};
use jitney::middleware::{Middleware, Next};
use jitney::prelude::*;

use crate::events::{Placed, placed};
use crate::scripted::Scripted;
use crate::service::{Service, has_handled, settled, shop, take};

/// Delivers one event to `handler`, which cannot take it; answers why.
async fn refused<S: Service, F, Args>(service: &S, spec: HandlerSpec, handler: F) -> String
where
    F: jitney::handler::HandlerFn<Args>,
    Args: Send + 'static,
{
    let broker = Scripted::new();
    let app = shop(service, &broker, spec, handler).await;
    broker.deliver_events(1, 0, &[placed("a", 7)]);
    settled(&broker, 1).await;
    app.shutdown().await.unwrap();
    let failure = broker.dead_letters().remove(0).failure;
    assert_eq!(failure.reason, Reason::Permanent, "{failure:?}");
    failure.error
}

pub(crate) async fn a_handler_that_keeps_its_transaction_has_failed<S: Service>(service: S) {
    let kept = Arc::new(Mutex::new(None));
    let handler = {
        let kept = Arc::clone(&kept);
        move |order: Placed, mut tx: S::Tx| {
            let kept = Arc::clone(&kept);
            async move {
                S::write(&mut tx, order.number).await?;
                *kept.lock().unwrap() = Some(tx);
                Ok::<_, HandlerError>(())
            }
        }
    };
    let error = refused(&service, take(3), handler).await;
    assert_eq!(
        error,
        "committing the transaction of an event: the handler has returned and kept its `Tx`, so nothing is committed; drop it in \
         the handler, and give it to no task or value that outlives it"
    );
    drop(kept.lock().unwrap().take());
    assert!(service.rows().await.is_empty() && !has_handled(&service, "e-0").await);
}

/// Runs what is inside a second time when it fails.
struct Twice;

#[async_trait::async_trait]
impl Middleware for Twice {
    async fn handle<'a>(&'a self, cx: Context<'a>, next: Next<'a>) -> Reply {
        drop(next.run(cx).await);
        next.run(cx).await
    }
}

pub(crate) async fn a_handler_that_is_run_twice_in_one_attempt_has_failed<S: Service>(service: S) {
    let handler = |order: Placed, mut tx: S::Tx| async move { S::write(&mut tx, order.number).await };
    let error = refused(&service, take(3).layer(Twice), handler).await;
    assert!(error.contains("have no layer run the handler twice in one attempt"), "{error}");
    assert!(service.rows().await.is_empty() && !has_handled(&service, "e-0").await);
}
