//! The RabbitMQ of `cargo xtask up rabbitmq`: killed, frozen, alarmed, and each time back again.

use std::time::Duration;

use jitney_test_servers::{Error, Exclusive, RabbitMq, rabbitmq_url};

const LIMIT: Duration = Duration::from_secs(180);

/// The server, or `None` where one is given, which cannot be controlled.
fn server(test: &str) -> Option<Exclusive<RabbitMq>> {
    match RabbitMq::single() {
        Ok(server) => Some(server.exclusive().expect("the lock can be taken")),
        Err(error) if error.is_given() => {
            println!("skipped: {test}: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn control(server: &RabbitMq, args: &[&str]) -> String {
    server.control(args).expect("the tool runs")
}

#[test]
fn a_killed_server_starts_again_with_its_data_and_a_frozen_one_goes_on() {
    let Some(server) = server("a_killed_server_starts_again_with_its_data_and_a_frozen_one_goes_on") else {
        return;
    };
    control(&server, &["add_vhost", "kept"]);
    let first = server.pid();

    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert!(matches!(server.wait_ready(LIMIT), Err(Error::NotRunning { .. })));
    assert!(matches!(server.freeze(), Err(Error::NotRunning { .. })));
    assert!(rabbitmq_url().is_err());

    server.start().unwrap();
    server.start().unwrap();
    server.wait_ready(LIMIT).unwrap();
    assert_ne!(server.pid(), first);
    assert!(control(&server, &["-q", "list_vhosts"]).lines().any(|name| name == "kept"));
    control(&server, &["delete_vhost", "kept"]);

    server.freeze().unwrap();
    assert!(matches!(server.wait_ready(Duration::ZERO), Err(Error::NotReady { .. })));
    server.thaw().unwrap();
    server.wait_ready(LIMIT).unwrap();
}

#[test]
fn an_alarm_is_there_until_it_is_cleared_and_healing_clears_it() {
    let test = "an_alarm_is_there_until_it_is_cleared_and_healing_clears_it";
    let alarms = |server: &RabbitMq| control(server, &["eval", "rabbit_alarm:get_alarms()."]);
    let Some(alarmed) = server(test) else { return };
    alarmed.raise_memory_alarm().unwrap();
    assert!(alarms(&alarmed).contains("memory"));
    alarmed.clear_memory_alarm().unwrap();
    alarmed.clear_memory_alarm().unwrap();
    assert!(!alarms(&alarmed).contains("memory"));

    alarmed.raise_memory_alarm().unwrap();
    drop(alarmed);
    let Some(healed) = server(test) else { return };
    assert!(!alarms(&healed).contains("memory"));
}
