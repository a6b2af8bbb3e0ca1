//! The order service on real brokers, in one process: the same figures on each.

use serde_json::Value;

use crate::orders::cli::{FAILED, MISUSED};
use crate::process::{command, figures, of_orders, one_at_a_time, output};

/// Two runs on the broker at `url` have the figures of memory, and so has none of the events of the other.
fn has_the_figures_of_memory(url: &str) {
    let memory = of_orders(figures(command("memory://", "--json")));
    assert_eq!(memory["net"], "1265793.04");
    for _ in 0..2 {
        assert_eq!(of_orders(figures(command(url, "--json"))), memory);
    }
}

/// What happened before a run is part of it, and of no other.
fn keeps_runs_apart(url: &str) {
    let history = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders/data/history-v1.jsonl");
    for _ in 0..2 {
        let report = figures(command(url, &format!("--json --input /dev/null --history {history}")));
        assert_eq!((&report["orders"], &report["net"]), (&Value::from(3), &Value::from("3856.00")));
    }
    let report = figures(command(url, "--json --input /dev/null"));
    assert_eq!(report["orders"], 0);
}

macro_rules! on {
    ($feature:literal, $module:ident, $url:expr) => {
        #[cfg(feature = $feature)]
        mod $module {
            use crate::process::one_at_a_time;

            #[test]
            fn the_figures_are_those_on_memory_in_every_run() {
                let _turn = one_at_a_time();
                super::has_the_figures_of_memory(&$url);
            }

            #[test]
            fn what_happened_before_a_run_is_part_of_it_and_of_no_other() {
                let _turn = one_at_a_time();
                super::keeps_runs_apart(&$url);
            }
        }
    };
}

on!("kafka", kafka, crate::process::kafka());
on!("rabbitmq", rabbitmq, jitney_test_servers::rabbitmq_url().unwrap_or_else(|error| panic!("{error}")));
on!(
    "eventbridge",
    eventbridge,
    jitney_test_servers::eventbridge_url().unwrap_or_else(|error| panic!("{error}"))
);

#[test]
fn the_bus_is_that_of_the_environment_unless_one_is_given() {
    let _turn = one_at_a_time();
    let missing = output(command("carrier-pigeon://roof", "--json"));
    let said = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(FAILED.into()), "{said}");
    assert!(said.contains("no backend for `carrier-pigeon://`"), "{said}");
    figures(command("carrier-pigeon://roof", "--json --bus memory:// --input /dev/null"));
    let mut unset = command("", "--json");
    unset.env_remove("JITNEY_URL");
    let unset = output(unset);
    let said = String::from_utf8(unset.stderr).unwrap();
    assert_eq!(unset.status.code(), Some(FAILED.into()), "{said}");
    assert!(said.contains("JITNEY_URL is not set"), "{said}");
}

#[test]
fn a_role_that_there_is_not_and_one_without_a_broker_end_with_2() {
    let _turn = one_at_a_time();
    for (arguments, part) in [
        ("--role chef --state there", "[possible values: intake, stock, "),
        ("--role stock", "--state <DIR>"),
        ("--role stock --state there", "nobody else can join memory://"),
    ] {
        let ended = output(command("memory://", arguments));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(MISUSED.into()), "{arguments}: {said}");
        assert!(said.starts_with("error: ") && said.contains(part), "{arguments}: {said}");
    }
}
