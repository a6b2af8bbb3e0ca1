//! That the memory bus by a broker's rules answers to each check as the broker does.

use std::collections::BTreeMap;
use std::sync::Arc;

use jitney_core::transport::Transport;
use jitney_core::{Env, Error};
use jitney_memory::{Memory, Semantics};
use jitney_testkit::conformance::{self, Answer, Fixture};

/// Fails where the memory bus by `semantics` answers otherwise than the broker that `on_broker` leads to.
pub(crate) fn assert_same_answers<F: Fixture>(semantics: Semantics, on_broker: impl Fn() -> F + Sync) {
    let broker = on_broker();
    let on_memory = || OnMemory::beside(&broker, semantics);
    let (memory, broker) = (answers(on_memory, true), answers(&on_broker, false));
    let differing: Vec<_> =
        memory.iter().filter(|(name, answer)| broker.get(*name) != Some(answer)).collect();
    let both = |name: &str| format!("{name}: memory {:?}, broker {:?}", memory.get(name), broker.get(name));
    let differing: Vec<_> = differing.into_iter().map(|(name, _)| both(name)).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(memory.len(), broker.len());
}

/// The memory bus by a broker's rules, asked what the broker is asked.
struct OnMemory {
    memory: Memory,
    env: Env,
    carries_any_bytes: bool,
    secret: Option<String>,
}

impl OnMemory {
    fn beside(broker: &impl Fixture, semantics: Semantics) -> Self {
        let env = Env::seeded(11);
        OnMemory {
            memory: Memory::builder().semantics(semantics).history(20_000).env(env.clone()).build(),
            env,
            carries_any_bytes: broker.carries_any_bytes(),
            secret: broker.secret().map(str::to_owned),
        }
    }
}

#[async_trait::async_trait]
impl Fixture for OnMemory {
    async fn transport(&self) -> Result<Arc<dyn Transport>, Error> {
        Ok(Arc::new(self.memory.connect()))
    }

    fn env(&self) -> Env {
        self.env.clone()
    }

    fn carries_any_bytes(&self) -> bool {
        self.carries_any_bytes
    }

    fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }
}

/// What `fixture` makes answers to each check, some checks at a time.
fn answers<F: Fixture>(fixture: impl Fn() -> F + Sync, is_virtual: bool) -> BTreeMap<&'static str, Answer> {
    let names: Vec<_> = conformance::check_names().collect();
    let some = |names: &[&'static str]| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().start_paused(is_virtual).build().expect("a runtime can be built");
        let mut answers = BTreeMap::new();
        for name in names {
            let report = runtime.block_on(async { conformance::run_only(&fixture(), name).await });
            answers.extend(report.checks.into_iter().map(|check| (check.name, Answer::from(check))));
        }
        answers
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            names.chunks(names.len().div_ceil(4)).map(|names| scope.spawn(|| some(names))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no check panics")).collect()
    })
}
