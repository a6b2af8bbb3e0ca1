//! An application under test.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use jitney_core::app::RunningApp;
use jitney_core::dispatch::GroupStats;
use jitney_core::event::Publishable;
use jitney_core::{App, Bus, DomainEvent, Env, Error, Id, error_chain};
use jitney_memory::{Faults, Memory, Semantics};

use super::run::{Conditions, conditions};

/// A running application that can be asked what it did.
///
/// It stops when it is dropped.
pub struct TestApp {
    pub(super) bus: Bus,
    pub(super) memory: Memory,
    pub(super) running: RunningApp,
}

/// An application that is about to run; awaiting it starts it.
#[must_use = "await it to start the application"]
pub struct TestRun {
    build: Box<dyn FnOnce(Bus) -> App + Send>,
    changes: Vec<Box<dyn FnOnce(App) -> App + Send>>,
    conditions: Conditions,
    faults: Option<Faults>,
}

/// No quiet within this (virtual) time means that something never ends.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

impl TestApp {
    /// Runs what `build`, production's own function, makes of a memory bus.
    pub fn run(build: impl FnOnce(Bus) -> App + Send + 'static) -> TestRun {
        TestRun { build: Box::new(build), changes: Vec::new(), conditions: conditions(), faults: None }
    }

    /// The bus of the application.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The transport below the bus, with everything that it holds.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Time, randomness and ids of the application.
    pub fn env(&self) -> &Env {
        self.bus.env()
    }

    /// Publishes `event`, as something outside the application would; again and again where the bus injects failures.
    ///
    /// # Panics
    ///
    /// When the event can never be published.
    pub async fn publish(&self, event: &dyn Publishable) -> Id {
        let (id, publisher) = (self.env().new_id(), self.bus.publisher());
        until_taken(|| publisher.publish_as(id.clone(), event)).await
    }

    /// Publishes an event that does not say itself which aggregate it belongs to.
    ///
    /// # Panics
    ///
    /// When the event can never be published.
    pub async fn publish_for<E: DomainEvent>(&self, aggregate_id: impl fmt::Display, event: &E) -> Id {
        let (id, publisher) = (self.env().new_id(), self.bus.publisher());
        until_taken(|| publisher.publish_for_as(id.clone(), &aggregate_id, event)).await
    }

    /// Waits until the application is quiet: every group has settled all that was published. Takes no time but virtual
    /// time, retries and delays included.
    ///
    /// # Panics
    ///
    /// When it does not become quiet within a (virtual) day.
    pub async fn settled(&self) {
        if self.env().timeout(PATIENCE, self.memory.idle()).await.is_err() {
            panic!(
                "the application did not become quiet within {PATIENCE:?} of virtual time:\n{}",
                self.pending()
            );
        }
    }

    /// Lets virtual time pass: timers that are due meanwhile fire in their order.
    pub async fn advance(&self, time: Duration) {
        self.env().sleep(time).await;
    }

    /// What `group` (full name, `service.group`) has done so far.
    ///
    /// # Panics
    ///
    /// When the application has no such group.
    pub fn stats(&self, group: &str) -> GroupStats {
        let all = self.running.stats();
        let names = || all.keys().cloned().collect::<Vec<_>>().join(", ");
        *all.get(group).unwrap_or_else(|| panic!("there is no group `{group}`; there are: {}", names()))
    }

    /// The running application.
    pub fn running(&self) -> &RunningApp {
        &self.running
    }

    /// Stops the application as production does.
    ///
    /// # Panics
    ///
    /// When stopping fails.
    pub async fn shutdown(self) {
        if let Err(error) = self.running.shutdown().await {
            panic!("stopping the application: {}", error_chain(&error));
        }
    }
}

/// Publishes again and again, under one id, until the bus has the event.
async fn until_taken<Fut>(publish: impl Fn() -> Fut) -> Id
where
    Fut: Future<Output = Result<Id, Error>>,
{
    loop {
        match publish().await {
            Ok(id) => return id,
            Err(error) if error.is_retryable() => {}
            Err(error) => panic!("publishing an event in a test: {}", error_chain(&error)),
        }
    }
}

impl TestRun {
    /// With `value` in place of production's state of the same type.
    pub fn state<T: Clone + Send + Sync + 'static>(self, value: T) -> Self {
        self.with(move |app| app.state(value))
    }

    /// With a change to the application that production built.
    pub fn with(mut self, change: impl FnOnce(App) -> App + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Under the delivery rules of another broker than the test's.
    pub fn semantics(mut self, semantics: Semantics) -> Self {
        self.conditions.semantics = semantics;
        self
    }

    /// Under another seed than the test's.
    pub fn seed(mut self, seed: u64) -> Self {
        self.conditions.seed = seed;
        self
    }

    /// With these faults; by default there are none, unless the test runs under several seeds.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = Some(faults);
        self
    }

    async fn start(self) -> TestApp {
        let Conditions { seed, semantics, faults } = self.conditions;
        let env = Env::seeded(seed);
        let faults = self.faults.unwrap_or_else(|| if faults { Faults::some() } else { Faults::none() });
        let memory = Memory::builder()
            .semantics(semantics)
            .faults(faults)
            .seed(seed)
            .env(env.clone())
            .history(usize::MAX)
            .history_bytes(usize::MAX)
            .build();
        let bus = Bus::builder(memory.clone()).env(env).build();
        let app = self.changes.into_iter().fold((self.build)(bus), |app, change| change(app));
        let bus = app.bus_handle().clone();
        match app.spawn().await {
            Ok(running) => TestApp { bus, memory, running },
            Err(error) => panic!("starting the application: {}", error_chain(&error)),
        }
    }
}

impl IntoFuture for TestRun {
    type Output = TestApp;
    type IntoFuture = Pin<Box<dyn Future<Output = TestApp> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("running", &self.running).finish_non_exhaustive()
    }
}

impl fmt::Debug for TestRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRun").field("conditions", &self.conditions).finish_non_exhaustive()
    }
}
