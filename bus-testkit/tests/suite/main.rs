//! The suite passes an intact transport, and names what is broken in each of many others.

#![allow(clippy::unwrap_used, missing_docs)]

mod broken;
mod faults;
mod reference;

use std::sync::Arc;

use jitney_core::transport::Transport;
use jitney_core::{Env, Error};
use jitney_memory::Memory;
use jitney_testkit::conformance::{Clock, Fixture};

use broken::{Broken, Fault};
use reference::Broker;

/// The reference transport, intact or with one fault.
struct Bench {
    env: Env,
    broker: Broker,
    memory: Memory,
    fault: Option<Fault>,
    wires: Arc<broken::Wires>,
}

impl Bench {
    fn intact() -> Self {
        let env = Env::seeded(7);
        Bench {
            broker: Broker::new(env.clone()),
            memory: Memory::builder().env(env.clone()).build(),
            env,
            fault: None,
            wires: Arc::default(),
        }
    }

    fn with(fault: Fault) -> Self {
        Bench { fault: Some(fault), ..Bench::intact() }
    }
}

#[async_trait::async_trait]
impl Fixture for Bench {
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        // The reference has no transactions.
        let transport = match self.fault {
            Some(fault) if fault.is_about_transactions() => Arc::new(self.memory.connect()),
            _ => self.broker.connect(),
        };
        Ok(match self.fault {
            None => transport,
            Some(fault) => Arc::new(Broken::new(transport, fault, Arc::clone(&self.wires))),
        })
    }

    fn env(&self) -> Env {
        self.env.clone()
    }

    fn prefix(&self) -> String {
        "c".to_owned()
    }

    fn secret(&self) -> Option<&str> {
        Some(broken::SECRET)
    }

    fn can_restart(&self) -> bool {
        true
    }

    async fn restart(&self) -> Result<(), Error> {
        self.broker.restart(self.fault == Some(Fault::ForgetsOnRestart));
        Ok(())
    }
}

mod intact {
    jitney_testkit::conformance_tests!(Virtual, super::Bench::intact());
}

/// Runs one check under a paused clock.
fn report(check: &str, fault: Fault) -> jitney_testkit::conformance::Report {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { jitney_testkit::conformance::run_only(&Bench::with(fault), check).await })
}

#[test]
#[should_panic(expected = "no conformance check is called")]
fn a_name_that_is_no_check_is_refused() {
    jitney_testkit::conformance::test("no_such_check", Clock::Virtual, async { Bench::intact() });
}

#[test]
fn two_backends_of_the_same_semantics_answer_alike() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let intact = jitney_testkit::conformance::answers(&Bench::intact()).await;
        let again = jitney_testkit::conformance::answers(&Bench::intact()).await;
        let other = jitney_testkit::conformance::answers(&Bench::with(Fault::CountsWrongly)).await;
        assert_eq!(intact, again);
        let apart: Vec<_> = intact.iter().filter(|(name, answer)| other[*name] != **answer).collect();
        assert_eq!(apart.len(), 1, "{apart:?}");
        assert_eq!(*apart[0].0, "counts_deliveries");
    });
}
