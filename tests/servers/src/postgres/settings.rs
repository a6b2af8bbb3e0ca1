//! The settings of PostgreSQL, all of them on its command line.

use crate::made::{Made, text};
use crate::ports::{self, Ports};

/// The superuser.
pub(crate) const USER: &str = "postgres";

/// How a new cluster of databases is set up, the same on every machine: no locale of its own, and no password.
pub(crate) const SETTING_UP: [&str; 6] = ["-U", USER, "-A", "trust", "--no-locale", "--encoding=UTF8"];

/// The URL of the database `name`.
pub(crate) fn url(ports: Ports, name: &str) -> String {
    format!("postgres://{USER}@{}/{name}", ports::local(ports.client()))
}

/// What the server is called; nothing else is called so.
pub(crate) fn name(made: &Made) -> String {
    format!("jitney-{}", made.state.id)
}

/// The server's arguments behind its data folder.
pub(crate) fn settings(made: &Made) -> Vec<String> {
    let settings = [
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", made.ports.client().to_string()),
        // Its path could be longer than a socket's may be, and nobody needs it.
        ("unix_socket_directories", String::new()),
        ("cluster_name", name(made)),
        ("fsync", "on".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("max_connections", "200".to_owned()),
        ("max_prepared_transactions", "20".to_owned()),
        // Its transactions come when they like, and hold back events of tests that expect to be alone.
        ("autovacuum", "off".to_owned()),
    ];
    settings.iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]).collect()
}

/// The variables that its tools are run with, and the server in a container.
pub(crate) fn environment(made: &Made) -> Vec<(&'static str, String)> {
    vec![
        ("PGHOST", "127.0.0.1".to_owned()),
        ("PGPORT", made.ports.client().to_string()),
        ("PGUSER", USER.to_owned()),
        ("PGDATA", text(&made.data())),
        ("SETTINGS", settings(made).join(" ")),
        ("POSTGRES_HOST_AUTH_METHOD", "trust".to_owned()),
        ("POSTGRES_INITDB_ARGS", SETTING_UP[4..].join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use crate::managed::Make;
    use crate::place::{Place, tests::empty};
    use crate::postgres::Postgres;
    use crate::server::Server;

    #[test]
    fn it_listens_on_this_machine_only_and_syncs_what_it_acknowledges() {
        let place = Place::at(empty("postgres"));
        let server = Postgres::make(&place, Server::Postgres, Kind::Docker).unwrap();
        let settings = settings(server.made()).join(" ");
        for wanted in ["listen_addresses=127.0.0.1 ", "fsync=on ", "unix_socket_directories= "] {
            assert!(settings.contains(wanted), "{settings}");
        }
        let written = std::fs::read_to_string(server.made().file("environment")).unwrap();
        assert!(written.contains(&format!("export SETTINGS='{settings}'\n")), "{written}");
    }

    #[test]
    fn a_database_has_a_url() {
        assert_eq!(url(Ports::from(29692), "orders"), "postgres://postgres@127.0.0.1:29692/orders");
    }
}
