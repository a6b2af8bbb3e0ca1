//! The EventBridge of `cargo xtask up eventbridge`: emptied, killed, frozen, and each time back again.

use std::time::Duration;

use jitney_test_servers::{Error, EventBridge, eventbridge_url};

const LIMIT: Duration = Duration::from_secs(180);

#[test]
fn it_is_emptied_killed_and_frozen_and_serves_again() {
    let server = match EventBridge::single() {
        Ok(server) => server.exclusive().unwrap(),
        Err(error) if error.is_given() => {
            println!("skipped: it_is_emptied_killed_and_frozen_and_serves_again: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(eventbridge_url().unwrap(), server.url());
    server.reset().unwrap();
    let first = server.pid();

    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert!(matches!(server.reset(), Err(Error::NotReady { .. })));
    server.start().unwrap();
    server.wait_ready(LIMIT).unwrap();
    assert_ne!(server.pid(), first);

    server.freeze().unwrap();
    assert!(matches!(server.wait_ready(Duration::ZERO), Err(Error::NotReady { .. })));
    server.thaw().unwrap();
    server.wait_ready(LIMIT).unwrap();
}
