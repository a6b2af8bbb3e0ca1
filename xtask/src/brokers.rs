//! Which test programs need a real server: what a run starts for them, and the proof that they ran.

use std::env;

use jitney_test_servers::Server;

use crate::tally::{Skip, Tally};

/// Test programs that a run without `--memory` must have seen at work.
#[derive(Debug)]
pub(crate) struct Broker {
    /// The server that they need; `None` if they start their own.
    pub(crate) server: Option<Server>,
    /// Their names: those of files in a `tests` folder, without `.rs`.
    pub(crate) programs: &'static [&'static str],
}

/// Every test program that needs a real server.
pub(crate) const BROKERS: &[Broker] = &[
    Broker { server: None, programs: &["throw_away"] },
    Broker {
        server: Some(Server::Kafka),
        programs: &["conformance_kafka", "kafka", "kafka_node", "kafka_store", "registry", "stores_kafka"],
    },
    Broker { server: Some(Server::Kafka3), programs: &["conformance_kafka", "kafka_faults"] },
    Broker {
        server: Some(Server::RabbitMq),
        programs: &[
            "conformance_rabbitmq",
            "conformance_restarts",
            "rabbitmq",
            "rabbitmq_faults",
            "rabbitmq_python",
            "rabbitmq_server",
            "rabbitmq_tls",
        ],
    },
    Broker {
        server: Some(Server::EventBridge),
        programs: &[
            "conformance_eventbridge",
            "eventbridge",
            "eventbridge_faults",
            "eventbridge_node",
            "eventbridge_server",
            "forward_to_partners",
            "lambda",
        ],
    },
    Broker {
        server: Some(Server::Postgres),
        programs: &["postgres_server", "postgres_store", "stores_postgres"],
    },
    Broker { server: Some(Server::Registry), programs: &["registry"] },
];

/// The packages of backends that take long to build and are of no use without their broker.
const PACKAGES: &[&str] = &["jitney-eventbridge", "jitney-kafka", "jitney-rabbitmq"];

/// Reasons of a test that found no server, where it should have failed.
const NO_SERVER: [&str; 2] = ["no broker", "server was found"];

/// The servers that the programs of `brokers` need.
pub(crate) fn servers(brokers: &[Broker]) -> Vec<Server> {
    brokers.iter().filter(|broker| !broker.programs.is_empty()).filter_map(|broker| broker.server).collect()
}

/// Cargo's arguments that leave out the backends' packages.
pub(crate) fn left_out() -> Vec<String> {
    PACKAGES.iter().flat_map(|package| ["--exclude".to_owned(), (*package).to_owned()]).collect()
}

/// What keeps a run from proving anything about `brokers`, if something does.
pub(crate) fn unproven(brokers: &[Broker], tally: &Tally) -> Option<String> {
    if brokers.is_empty() {
        return None;
    }
    let found_none = |skip: &&Skip| NO_SERVER.iter().any(|reason| skip.reason.contains(reason));
    if let Some(skip) = tally.skips().iter().find(found_none) {
        return Some(format!("{} was skipped for want of a broker", skip.name));
    }
    let idle: Vec<_> = brokers.iter().flat_map(|broker| idle(broker, tally)).collect();
    (!idle.is_empty()).then(|| format!("no test passed in: {}", idle.join(", ")))
}

/// The programs of `broker` in which no test did its work. A server that was given cannot be killed, so that tests may
/// all skip themselves there.
fn idle(broker: &Broker, tally: &Tally) -> Vec<&'static str> {
    let is_set = |server: Server| env::var_os(server.variable()).is_some_and(|url| !url.is_empty());
    let may_skip = broker.server.is_some_and(is_set);
    let worked = |program: &str| match tally.program(program) {
        None => false,
        Some((passed, skipped)) => passed > 0 || (may_skip && skipped > 0),
    };
    broker.programs.iter().copied().filter(|program| !worked(program)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Stream;

    const SOME: &[Broker] = &[Broker { server: None, programs: &["kafka", "kafka_faults"] }];

    fn tally(faults: &str) -> Tally {
        let mut tally = Tally::default();
        for name in ["kafka", "kafka_faults"] {
            tally.line(Stream::Err, &format!("Running tests/{name}.rs (target/debug/deps/{name}-01)"));
        }
        let lines = format!("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n{faults}");
        for line in lines.lines() {
            tally.line(Stream::Out, line);
        }
        tally
    }

    #[test]
    fn programs_in_which_a_test_passed_are_proof() {
        let tally = tally("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured");
        assert_eq!(unproven(SOME, &tally), None);
    }

    #[test]
    fn a_program_that_did_not_run_or_ran_no_test_is_named() {
        for faults in ["", "test result: ok. 0 passed; 0 failed; 3 ignored; 0 measured"] {
            let missing = unproven(SOME, &tally(faults)).unwrap();
            assert_eq!(missing, "no test passed in: kafka_faults");
        }
    }

    #[test]
    fn a_test_that_skips_itself_is_no_proof() {
        let faults = |reason| {
            format!(
                "successes:\n---- a stdout ----\nskipped: a: {reason}\n\nsuccesses:\n    a\n\n\
                 test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured"
            )
        };
        let given = unproven(SOME, &tally(&faults("the address was given"))).unwrap();
        assert_eq!(given, "no test passed in: kafka_faults");
        let none = unproven(SOME, &tally(&faults("no broker here"))).unwrap();
        assert_eq!(none, "a was skipped for want of a broker");
    }

    #[test]
    fn without_brokers_nothing_has_to_be_proved() {
        assert_eq!(unproven(&[], &Tally::default()), None);
    }

    #[test]
    fn only_servers_that_a_program_needs_are_started() {
        let brokers = [
            Broker { server: Some(Server::Kafka), programs: &["kafka"] },
            Broker { server: Some(Server::Kafka3), programs: &[] },
        ];
        assert_eq!(servers(&brokers), [Server::Kafka]);
    }
}
