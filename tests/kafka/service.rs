//! A service on the broker under test, and what its handlers tell the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::app::RunningApp;
use jitney::dispatch::GroupStats;
use jitney::handler::{HandlerFn, HandlerSet, HandlerSpec};
use jitney::middleware::RetryPolicy;
use jitney::{App, Bus, Connect, Env};

use super::broker::{fresh, url};

/// What happened, in order.
#[derive(Debug)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Log(Arc::clone(&self.0))
    }
}

impl<T: Clone> Log<T> {
    pub(crate) fn new() -> Self {
        Log(Arc::default())
    }

    /// Adds `entry`, and answers how many there were before.
    pub(crate) fn add(&self, entry: T) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(entry);
        all.len() - 1
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Waits until `holds`, for at most two minutes.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let env = Env::system();
    let deadline = env.instant() + Duration::from_mins(2);
    while !holds() {
        assert!(env.instant() < deadline, "within two minutes it did not come about that {what}");
        env.sleep(Duration::from_millis(20)).await;
    }
}

/// A connection of its own.
pub(crate) async fn bus() -> Bus {
    Bus::connect(&url()).await.unwrap()
}

/// An application with a new name, and one handler called `take`; its group is `{name}.take`.
pub(crate) async fn app<F, Args>(spec: impl FnOnce(HandlerSpec) -> HandlerSpec, handler: F) -> (String, App)
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    app_on(bus().await, spec, handler)
}

/// The same on a given bus.
pub(crate) fn app_on<F, Args>(
    bus: Bus,
    spec: impl FnOnce(HandlerSpec) -> HandlerSpec,
    handler: F,
) -> (String, App)
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    let name = fresh("svc");
    (format!("{name}.take"), App::new(&name, bus).handlers(take(spec, handler)))
}

/// The application of the group `{name}.take`, on a connection of its own.
pub(crate) async fn again<F, Args>(
    group: &str,
    spec: impl FnOnce(HandlerSpec) -> HandlerSpec,
    handler: F,
) -> App
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    again_on(bus().await, group, spec, handler)
}

/// The same on a given bus.
pub(crate) fn again_on<F, Args>(
    bus: Bus,
    group: &str,
    spec: impl FnOnce(HandlerSpec) -> HandlerSpec,
    handler: F,
) -> App
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    App::new(group.trim_end_matches(".take"), bus).handlers(take(spec, handler))
}

fn take<F, Args>(spec: impl FnOnce(HandlerSpec) -> HandlerSpec, handler: F) -> HandlerSet
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    HandlerSet::new().handler(spec(HandlerSpec::new("take")), handler)
}

/// What the only group of `app` has done.
pub(crate) fn stats(app: &RunningApp) -> GroupStats {
    *app.stats().values().next().unwrap()
}

/// So many attempts, without much of a pause.
pub(crate) fn attempts(number: u32) -> RetryPolicy {
    RetryPolicy::attempts(number).between(Duration::from_millis(1), Duration::from_millis(10))
}
