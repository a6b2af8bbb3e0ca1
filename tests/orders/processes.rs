//! The order service on a real broker, in several processes that share a read model.

use std::path::PathBuf;

use serde_json::Value;

use crate::bench::{line, read};
use crate::process::{Process, command, figures, kafka, of_orders, one_at_a_time, until};

/// One run: a new directory for what its processes share.
struct Run(PathBuf);

impl Run {
    fn new(name: &str) -> Self {
        let run = Run(std::env::temp_dir().join(format!("jitney-orders-{name}-{}", std::process::id())));
        std::fs::create_dir_all(&run.0).unwrap();
        run
    }

    /// Starts a process of each role.
    fn start<const N: usize>(&self, roles: [&str; N]) -> [Process; N] {
        roles.map(|role| Process::start(command(&kafka(), &self.arguments(role))))
    }

    /// Starts the intake of orders that the test writes.
    fn start_fed(&self) -> Process {
        Process::start_fed(command(&kafka(), &(self.arguments("intake") + " --input -")))
    }

    fn arguments(&self, role: &str) -> String {
        format!("--role {role} --state {}", self.0.display())
    }

    /// The figures, when all orders are at their end.
    fn report(&self) -> Value {
        of_orders(figures(command(&kafka(), &(self.arguments("report") + " --json"))))
    }

    /// What each process of the projection has written so far.
    fn written(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let events = files.filter(|path| path.to_str().unwrap().ends_with(".events.jsonl"));
        events.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's directory for such files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Asks all of them to stop at once, and waits for each.
fn stop(processes: impl IntoIterator<Item = Process>) {
    let processes: Vec<_> = processes.into_iter().collect();
    processes.iter().for_each(Process::terminate);
    processes.into_iter().for_each(Process::end);
}

fn expected() -> Value {
    let memory = of_orders(figures(command("memory://", "--json")));
    assert_eq!((&memory["net"], &memory["orders"]), (&Value::from("1265793.04"), &Value::from(830)));
    memory
}

#[test]
fn several_processes_come_to_the_figures_of_one_in_whatever_order_they_start() {
    let _turn = one_at_a_time();
    let run = Run::new("several");
    let [intake] = run.start(["intake"]);
    let services =
        run.start(["payment", "projection", "stock", "fulfilment", "stock", "payment", "projection"]);
    intake.end();
    assert_eq!(run.report(), expected());
    stop(services);
    assert_eq!(run.report(), expected(), "behind their end");
}

#[test]
fn a_killed_process_changes_nothing() {
    let _turn = one_at_a_time();
    let run = Run::new("killed");
    let services = run.start(["stock", "stock", "payment", "fulfilment", "projection", "projection"]);
    let [killed] = run.start(["payment"]);
    let mut intake = run.start_fed();
    let orders = read("orders.jsonl");
    let half = orders.match_indices('\n').nth(415).unwrap().0 + 1;
    intake.feed(&orders[..half]);
    until("the first payment", || run.written().iter().any(|events| events.contains("PaymentTaken")));
    drop(killed);
    intake.feed(&orders[half..]);
    intake.end();
    assert_eq!(run.report(), expected());
    stop(services);
}

#[test]
fn two_processes_of_a_role_share_its_work() {
    let _turn = one_at_a_time();
    let run = Run::new("shared");
    let services = run.start(["stock", "payment", "fulfilment", "projection", "projection"]);
    let mut intake = run.start_fed();
    let mut orders = 0;
    until("an event for each of two processes", || {
        for _ in 0..64 {
            orders += 1;
            intake.feed(&line(&format!("A-{orders}"), 1, "1.00"));
        }
        run.written().len() == 2
    });
    intake.end();
    let report = run.report();
    assert_eq!((&report["orders"], &report["confirmed"]), (&Value::from(orders), &Value::from(orders)));
    stop(services);
}
