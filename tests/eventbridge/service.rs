//! Services on a bus of their own, and what their handlers tell the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::handler::{HandlerFn, HandlerSet, HandlerSpec};
use jitney::{App, Bus, Env};
use jitney_eventbridge::EventBridge;

use super::server;

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

/// A new bus of its own: its name, and a transport to it.
pub(crate) async fn bridge(query: &str) -> (String, EventBridge) {
    let builder = server::new_bus(&format!("wait=1s&{query}"));
    let bridge = builder.connect().await.unwrap();
    let described = jitney_core::transport::Transport::describe(&bridge);
    let bus = described.trim_start_matches("eventbridge://").split('?').next().unwrap().to_owned();
    (bus, bridge)
}

/// An application with a new name and one handler called `take`; its group is `{name}.take`.
pub(crate) fn app<F, Args>(bridge: &EventBridge, handler: F) -> (String, App)
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    let name = server::fresh("svc");
    let handlers = HandlerSet::new().handler(HandlerSpec::new("take"), handler);
    (format!("{name}.take"), App::new(&name, Bus::new(bridge.clone())).handlers(handlers))
}
