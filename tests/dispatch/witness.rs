//! What handlers tell a test, and what makes them wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::handler::{HandlerFn, HandlerSpec};
use jitney::middleware::RetryPolicy;
use jitney::{App, Bus, Env, handler::HandlerSet};
use tokio::sync::Semaphore;

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

    pub(crate) fn add(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Adds `entry`, and answers how many there were before.
    pub(crate) fn count(&self, entry: T) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(entry);
        all.len() - 1
    }
}

/// How many are inside at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<(AtomicUsize, AtomicUsize)>);

pub(crate) struct Inside(Meter);

impl Meter {
    pub(crate) fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets through as many as it is told to.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Gate(Arc::new(Semaphore::new(0)))
    }

    pub(crate) fn let_through(&self, number: usize) {
        self.0.add_permits(number);
    }

    pub(crate) async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// Lets virtual time pass.
pub(crate) async fn advance(time: Duration) {
    Env::system().sleep(time).await;
}

/// Some (virtual) milliseconds of work.
pub(crate) async fn work(millis: u64) {
    advance(Duration::from_millis(millis)).await;
}

/// Waits until `holds`, for at most a virtual minute.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if holds() {
            return;
        }
        work(1).await;
    }
    panic!("within a minute it did not come about that {what}");
}

/// The application `shop` with one handler.
pub(crate) fn shop<F, Args>(spec: HandlerSpec, handler: F) -> impl FnOnce(Bus) -> App + Send + 'static
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    move |bus| App::new("shop", bus).handlers(HandlerSet::new().handler(spec, handler))
}

/// A handler called `take`.
pub(crate) fn take() -> HandlerSpec {
    HandlerSpec::new("take")
}

/// So many attempts, a second and less apart.
pub(crate) fn attempts(number: u32) -> RetryPolicy {
    RetryPolicy::attempts(number).between(Duration::from_millis(100), Duration::from_secs(1))
}
