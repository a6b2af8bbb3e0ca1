//! Somebody who reads the bus beside the services, and has no vault.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::Env;
use jitney::app::RunningApp;
use jitney::handler::HandlerSpec;
use jitney::message::Message;
use jitney::prelude::*;
use jitney::transport::Start;

/// The topics of orders.
const TOPICS: [&str; 2] = ["Order-events", "order-commands"];

/// Keeps every message.
pub struct Spy {
    seen: Arc<Mutex<Vec<RawEvent>>>,
    running: RunningApp,
    groups: Vec<String>,
}

impl Spy {
    /// Begins to read what comes from now on.
    pub async fn on(bus: &Bus) -> Self {
        let seen = Arc::<Mutex<Vec<RawEvent>>>::default();
        let now = bus.env().now();
        let start = if bus.capabilities().backlog { Start::Time(now) } else { Start::Latest };
        let handlers = TOPICS.into_iter().fold(HandlerSet::new(), |set, topic| {
            let seen = Arc::clone(&seen);
            set.handler(HandlerSpec::new(topic).topic(topic), move |event: RawEvent| {
                seen.lock().unwrap().push(event);
                std::future::ready(())
            })
        });
        let name = format!("spy-{:016x}", Env::system().random());
        let app = App::new(&name, bus.clone()).handlers(handlers).start_at(start).keep_buses_open();
        let running = app.spawn().await.unwrap();
        let groups = running.health().groups.into_iter().map(|group| group.name).collect();
        Spy { seen, running, groups }
    }

    /// Waits until so many events are there for which `counts` holds.
    pub async fn until(&self, events: usize, counts: impl Fn(&RawEvent) -> bool) {
        let env = self.running.bus().env();
        let all = async {
            while self.seen().iter().filter(|event| counts(event)).count() < events {
                env.sleep(Duration::from_millis(20)).await;
            }
        };
        let there = env.timeout(crate::server::PATIENCE, all).await;
        assert!(
            there.is_ok(),
            "of {events} events there are {}",
            self.seen().iter().filter(|event| counts(event)).count()
        );
    }

    fn seen(&self) -> Vec<RawEvent> {
        self.seen.lock().unwrap().clone()
    }

    /// Ends it, and answers what it has seen.
    pub async fn end(self) -> Vec<RawEvent> {
        let bus = self.running.bus().clone();
        self.running.shutdown().await.unwrap();
        if bus.capabilities().durable {
            for group in self.groups {
                bus.admin().unwrap().delete_group(&group).await.unwrap();
            }
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// A message as bytes: all of it.
pub fn bytes(message: &Message) -> Vec<u8> {
    let headers =
        message.headers.iter().flat_map(|header| [header.name.as_bytes(), b"=", &header.value, b"\n"]);
    let mut bytes: Vec<u8> = headers.flatten().copied().collect();
    bytes.extend_from_slice(message.topic.as_bytes());
    bytes.extend_from_slice(message.key.as_deref().unwrap_or_default());
    bytes.extend_from_slice(&message.body);
    bytes
}
