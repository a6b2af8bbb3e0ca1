//! Crashes between the steps of an order.

use std::time::Duration;

use jitney::Id;
use jitney::sourcing::process::ProcessRunner;

use crate::backend::Backend;
use crate::checks::{WAY, append_all, until};
use crate::interposed::{Fate, Interposed};
use crate::saga::OrderFlow;

/// At each of the commits of an order, the program ends or hears no answer; another one goes on. What was sent in the end is what
/// an order sends that nothing happened to, under the same ids.
pub(crate) async fn a_crash_at_any_step_changes_nothing_in_the_end(backend: impl Backend) {
    let mut orders = Vec::new();
    for fate in [Fate::EndsBefore, Fate::EndsBehind, Fate::AnswerLost, Fate::Lost] {
        for commit in 1..=WAY.len() {
            let order = format!("o-{fate:?}-{commit}");
            append_all(&backend, &order).await;
            let store = Interposed::with_fate(backend.open().await, commit, fate);
            let runner = ProcessRunner::<OrderFlow>::new(store.clone()).follow(backend.events());
            let running = runner.batch(1).lease(Duration::from_millis(100)).spawn();
            until("it has come to the step", async || store.commits() >= commit).await;
            running.abort();
            let next = backend.runner::<OrderFlow>().await;
            let caught_up = async || match next.catch_up().await {
                Ok(()) => true,
                // Until the lease of the one that has ended has passed.
                Err(error) if error.is_retryable() => false,
                Err(error) => panic!("{error:?}"),
            };
            until("the next one has done the rest", caught_up).await;
            orders.push(order);
        }
    }
    let sent = backend.sent().await;
    assert_eq!(sent.len(), orders.len() * WAY.len());
    for order in orders {
        let ids = sent.iter().filter(|head| head.aggregate_id == order).map(|head| head.event_id.clone());
        let id =
            |what| Id::from(&*format!("{order}-{what}")).derive(&format!("process order_flow {order}"), 0);
        let expected = ["placed", "reserved", "paid", "shipped"].map(id);
        assert_eq!(ids.collect::<Vec<_>>(), expected, "{order}");
        assert_eq!(backend.sent_to(&order).await, WAY);
    }
}
