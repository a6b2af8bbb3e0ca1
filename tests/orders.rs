//! The order service gives the same figures on every bus, under duplicates, disorder and crashes.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

#[path = "../examples/orders/app.rs"]
mod app;
#[path = "../examples/orders/audit.rs"]
mod audit;
#[path = "../examples/orders/events.rs"]
mod events;
#[path = "../examples/orders/follow.rs"]
mod follow;
#[path = "../examples/orders/fulfilment.rs"]
mod fulfilment;
#[path = "../examples/orders/input.rs"]
mod input;
#[path = "../examples/orders/intake.rs"]
mod intake;
#[path = "../examples/orders/money.rs"]
mod money;
#[path = "../examples/orders/notification.rs"]
mod notification;
#[path = "../examples/orders/payment.rs"]
mod payment;
#[path = "../examples/orders/report.rs"]
mod report;
#[path = "../examples/orders/run.rs"]
mod run;
#[path = "../examples/orders/statement.rs"]
mod statement;
#[path = "../examples/orders/stock.rs"]
mod stock;
#[path = "../examples/orders/summary.rs"]
mod summary;

#[path = "orders/figures.rs"]
mod figures;
#[path = "orders/flow.rs"]
mod flow;
#[path = "orders/lines.rs"]
mod lines;

use std::path::Path;

use jitney::memory::{Faults, Memory, Semantics};
use jitney::{Bus, Env};

use app::Views;
use audit::Audit;
use events::OrderCreatedV1;
use input::Catalogue;
use report::Report;
use run::{Work, run};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders/data");

fn catalogue() -> Catalogue {
    Catalogue::read(&Path::new(DATA).join("products.jsonl")).unwrap()
}

fn northwind() -> String {
    std::fs::read_to_string(Path::new(DATA).join("orders.jsonl")).unwrap()
}

/// The first `number` orders.
fn first(number: usize) -> String {
    northwind().lines().take(number).map(|line| format!("{line}\n")).collect()
}

/// A run under test.
struct Run {
    semantics: Semantics,
    faults: Faults,
    seed: u64,
    history: Vec<OrderCreatedV1>,
    repeat: usize,
    follow: Option<String>,
}

/// What came of a run.
struct Ran {
    report: Report,
    views: Views,
    rejects: Vec<String>,
}

impl Run {
    fn new(semantics: Semantics) -> Self {
        Run { semantics, faults: Faults::none(), seed: 1, history: Vec::new(), repeat: 1, follow: None }
    }

    fn faults(self, seed: u64, faults: Faults) -> Self {
        Run { seed, faults, ..self }
    }

    /// Runs `input` in virtual time.
    fn on(self, input: &str) -> Ran {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(self.perform(input))
    }

    async fn perform(self, input: &str) -> Ran {
        let env = Env::seeded(self.seed);
        let memory =
            Memory::builder().semantics(self.semantics).faults(self.faults).seed(self.seed).env(env.clone());
        let bus = Bus::builder(memory.build()).env(env).build();
        let views = Views { audit: Audit::new(self.follow), ..Views::default() };
        let running = app::app(bus, &views).spawn().await.unwrap();
        let catalogue = catalogue();
        let work = Work {
            input: input.as_bytes(),
            catalogue: &catalogue,
            history: self.history,
            repeat: self.repeat,
        };
        let mut rejects = Vec::new();
        let reject = |reject: &input::Reject| rejects.push(format!("line {}: {}", reject.number, reject.why));
        let report = run(running, &views, work, reject, |_, _| {}).await.unwrap();
        Ran { report, views, rejects }
    }
}
