//! PostgreSQL: the one of `cargo xtask up postgres` and throw-away ones, killed, frozen, and each time back again.

use std::time::Duration;

use jitney_test_servers::{Error, Postgres, ThrowAwayPostgres, postgres_url};

const LIMIT: Duration = Duration::from_secs(180);

fn sql(server: &Postgres, statement: &str) -> String {
    server.tool("psql", &["-Atqc", statement]).expect("the statement runs").trim().to_owned()
}

#[test]
fn a_killed_server_starts_again_with_its_data_and_a_frozen_one_goes_on() {
    let test = "a_killed_server_starts_again_with_its_data_and_a_frozen_one_goes_on";
    let server = match Postgres::single() {
        Ok(server) => server.exclusive().expect("the lock can be taken"),
        Err(error) if error.is_given() => return println!("skipped: {test}: {error}"),
        Err(error) => panic!("{error}"),
    };
    sql(&server, "drop table if exists kept; create table kept (id int); insert into kept values (7)");
    let first = server.pid();

    server.kill().unwrap();
    assert_eq!(server.pid(), None);
    assert!(matches!(server.wait_ready(LIMIT), Err(Error::NotRunning { .. })));
    assert!(matches!(server.freeze(), Err(Error::NotRunning { .. })));
    assert!(postgres_url().is_err());

    // At once: nothing of the killed one may be left that would keep the next from its data.
    server.start().unwrap();
    server.start().unwrap();
    server.wait_ready(LIMIT).unwrap();
    assert_ne!(server.pid(), first);
    assert_eq!(sql(&server, "select id from kept; drop table kept"), "7");

    server.freeze().unwrap();
    assert!(matches!(server.wait_ready(Duration::ZERO), Err(Error::NotReady { .. })));
    server.thaw().unwrap();
    server.wait_ready(LIMIT).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn the_connections_of_a_frozen_server_stand_still_too() {
    let server = ThrowAwayPostgres::start("frozen", LIMIT).unwrap();
    sql(&server, "create table counted (id bigserial)");
    std::thread::scope(|scope| {
        // A statement that runs on for a second, in a connection that is there before the server is frozen.
        let busy = scope.spawn(|| {
            let count = "do $$ begin for i in 1..20 loop insert into counted default values; commit;
                         perform pg_sleep(0.05); end loop; end $$";
            server.tool("psql", &["-c", count])
        });
        while sql(&server, "select count(*) from counted") == "0" {}
        server.freeze().unwrap();
        // A signal arrives when the process next runs.
        let stand_still = (0..1_000).any(|_| states(&server).iter().all(|state| state == "T"));
        server.thaw().unwrap();
        busy.join().unwrap().expect("the statement goes on");
        assert!(stand_still, "a process of the server went on");
    });
    assert_eq!(sql(&server, "select count(*) from counted"), "20");
}

/// The states of the server's first process and of those that it started and that have not ended.
#[cfg(target_os = "linux")]
fn states(server: &Postgres) -> Vec<String> {
    let first = server.pid().expect("the server runs").to_string();
    let entries = std::fs::read_dir("/proc").expect("it can be listed").flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let of_ours = stats.filter_map(|stat| {
        let (id, rest) = stat.split_once(" (")?;
        let mut fields = rest.rsplit_once(") ")?.1.split(' ');
        let (state, parent) = (fields.next()?, fields.next()?);
        ((id == first || parent == first) && state != "Z").then(|| state.to_owned())
    });
    of_ours.collect()
}

#[test]
fn a_throw_away_server_is_another_cluster_and_takes_prepared_transactions() {
    let one = ThrowAwayPostgres::start("first-cluster", LIMIT).unwrap();
    let two = ThrowAwayPostgres::start("second-cluster", LIMIT).unwrap();
    let identifier = "select system_identifier from pg_control_system()";
    assert_ne!(sql(&one, identifier), sql(&two, identifier));

    sql(&one, "begin; create table held (id int); prepare transaction 'held'");
    one.kill().unwrap();
    one.start_again(LIMIT).unwrap();
    assert_eq!(sql(&one, "select gid from pg_prepared_xacts"), "held");
    assert_eq!(sql(&two, "select count(*) from pg_prepared_xacts"), "0");

    two.shut_down(LIMIT).unwrap();
    assert_eq!(two.pid(), None);
    two.start_again(LIMIT).unwrap();
    assert_eq!(sql(&two, "select count(*) from pg_prepared_xacts"), "0");
}
