//! RabbitMQ by TLS: a server is believed whose certificate comes from an authority that this machine trusts, and no other.

#![allow(clippy::unwrap_used)]

use std::env;
use std::path::Path;
use std::process::{Command, Output};

use jitney::prelude::*;
use jitney_test_servers::RabbitMq;

/// Has this program connect to the URL in it, in place of testing.
const URL: &str = "JITNEY_TLS_URL";

/// Where the system's trusted authorities are looked for, if it is set.
const AUTHORITIES: &str = "SSL_CERT_FILE";

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Encrypted", id = id)]
struct Encrypted {
    id: String,
}

#[test]
fn a_server_is_believed_by_its_certificate_alone() {
    if let Ok(url) = env::var(URL) {
        return publish(&url);
    }
    let server = match RabbitMq::single() {
        Ok(server) => server,
        Err(error) if error.is_given() => {
            println!("skipped: a_server_is_believed_by_its_certificate_alone: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let url = server.tls_url();
    let trusting = connected(&url, Some(&server.tls_authority()));
    assert!(trusting.status.success(), "{trusting:?}");
    let suspicious = connected(&url, None);
    assert!(!suspicious.status.success(), "a certificate of an unknown authority was believed");
    let said = String::from_utf8_lossy(&suspicious.stderr);
    assert!(said.to_lowercase().contains("certificate"), "{said}");
    assert!(!said.contains("guest:guest"), "{said}");
}

/// Connects and publishes from a process of its own, which trusts `authority` and no other, or what this machine trusts.
fn connected(url: &str, authority: Option<&Path>) -> Output {
    let test = "a_server_is_believed_by_its_certificate_alone";
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(URL, url).env_remove(AUTHORITIES);
    command.envs(authority.map(|authority| (AUTHORITIES, authority)));
    command.output().unwrap()
}

fn publish(url: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = match Bus::connect(&format!("{url}/?connect_timeout=20s")).await {
            Ok(bus) => bus,
            Err(error) => panic!("{}", jitney::error_chain(&error)),
        };
        bus.publish(&Encrypted { id: "1".to_owned() }).await.unwrap();
    });
}
