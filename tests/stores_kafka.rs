//! The conformance suite for event stores on Kafka: on the broker that all tests share, and, where a check disturbs the broker,
//! on one of its own.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::kafka::KafkaStore;
use jitney::sourcing::{Error, ErrorKind, EventStore};
use jitney_core::Env;
use jitney_core::personal::Sealer;
use jitney_test_servers::{ThrowAway, ThrowAwayNode};
use jitney_testkit::stores::{self, Disturbance, StoreFixture, write_until_killed};
use tokio::task::spawn_blocking;

const LIMIT: Duration = Duration::from_secs(180);

/// Long enough for no process to be taken for dead on a busy machine.
const SESSION: Duration = Duration::from_secs(20);

/// Where a process or the broker is killed: so long nobody can write behind it.
const SHORT_SESSION: Duration = Duration::from_secs(4);

/// The variables that tell a writer which store: its cluster, what its topics begin with, and its aggregate types.
const URL: &str = "JITNEY_TEST_KAFKA_STORE";
const PREFIX: &str = "JITNEY_TEST_KAFKA_STORE_PREFIX";
const TYPES: &str = "JITNEY_TEST_KAFKA_STORE_TYPES";

async fn open(url: &str, prefix: &str, types: &[String], session: Duration) -> Result<KafkaStore, Error> {
    // The limits are for a busy machine.
    let url = format!("{url}/?create_topics=true&partitions=2&connect_timeout=40s");
    let builder = KafkaStore::builder(&url).aggregate_types(types).topic_prefix(prefix);
    builder.session_timeout(session).answer_within(Duration::from_secs(60)).connect().await
}

/// A store of its own for each check: topics that nobody else has.
struct OnKafka {
    url: String,
    prefix: String,
    session: Duration,
    types: Mutex<Vec<String>>,
}

impl OnKafka {
    fn new() -> Self {
        OnKafka::at(jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}")), SESSION)
    }

    fn at(url: String, session: Duration) -> Self {
        let prefix = format!("suite-{:08x}.", Env::system().random() >> 32);
        OnKafka { url, prefix, session, types: Mutex::default() }
    }

    fn types(&self) -> Vec<String> {
        self.types.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl StoreFixture for OnKafka {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(open(&self.url, &self.prefix, &self.types(), self.session).await?))
    }

    fn seals(&self) -> bool {
        true
    }

    async fn sealed_store(&self, sealer: Arc<dyn Sealer>) -> Result<Arc<dyn EventStore>, Error> {
        let store = open(&self.url, &self.prefix, &self.types(), self.session).await?;
        Ok(Arc::new(store.sealed_by(sealer)))
    }

    async fn prepare(&self, aggregate_types: &[&str]) -> Result<(), Error> {
        *self.types.lock().unwrap() = aggregate_types.iter().map(|name| (*name).to_owned()).collect();
        Ok(())
    }

    fn patience(&self) -> Duration {
        LIMIT
    }

    fn takes_any_aggregate_type(&self) -> bool {
        false
    }

    fn writer(&self) -> Option<Command> {
        let mut writer = Command::new(std::env::current_exe().ok()?);
        writer.args(["--exact", "writer_to_be_killed", "--ignored", "--nocapture"]);
        writer.env(URL, &self.url).env(PREFIX, &self.prefix).env(TYPES, self.types().join(" "));
        Some(writer)
    }
}

#[tokio::test]
#[ignore = "the suite starts it, and kills it"]
async fn writer_to_be_killed() {
    let told = |name| std::env::var(name).expect("the suite says which store");
    let types: Vec<_> = told(TYPES).split(' ').map(str::to_owned).collect();
    let store = open(&told(URL), &told(PREFIX), &types, SHORT_SESSION).await.expect("the store opens");
    write_until_killed(&store).await.expect("the store takes events until the writer is killed");
}

mod kafka {
    jitney_testkit::store_conformance_tests!(super::OnKafka::new());
}

/// A store on a broker that can be disturbed.
struct Own {
    broker: Arc<ThrowAwayNode>,
    store: OnKafka,
}

impl Own {
    fn at(broker: &Arc<ThrowAwayNode>) -> Self {
        Own { broker: Arc::clone(broker), store: OnKafka::at(broker.url(), SHORT_SESSION) }
    }
}

#[async_trait::async_trait]
impl StoreFixture for Own {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        self.store.store().await
    }

    async fn prepare(&self, aggregate_types: &[&str]) -> Result<(), Error> {
        self.store.prepare(aggregate_types).await
    }

    fn patience(&self) -> Duration {
        LIMIT
    }

    fn can_disturb(&self, disturbance: Disturbance) -> bool {
        matches!(disturbance, Disturbance::Restart | Disturbance::Kill)
    }

    async fn disturb(&self, disturbance: Disturbance) -> Result<(), Error> {
        let broker = Arc::clone(&self.broker);
        let disturbed = spawn_blocking(move || {
            match disturbance {
                Disturbance::Restart => shut_down(&broker),
                _ => broker.kill().unwrap(),
            }
            broker.start().and_then(|()| broker.wait_ready(LIMIT))
        });
        let failed = |error: &dyn std::fmt::Display| Error::new(ErrorKind::Store, error.to_string());
        disturbed.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

/// Has a broker stop in its own way.
fn shut_down(broker: &ThrowAwayNode) {
    let pid = broker.pid().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(broker.ended(LIMIT), "the broker does not stop");
}

mod disturbed {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    /// What the process of a test ends with when its client library crashes.
    const SIGSEGV: i32 = 11;

    /// How often the client library may crash, as `docs/kafka.md` says that it can while a broker restarts.
    const CRASHES: usize = 2;

    #[test]
    fn survives_restarts_and_kills_of_the_server() {
        for crashes in 0.. {
            let mut process = Command::new(std::env::current_exe().unwrap());
            process.args(["--exact", "disturbed::in_a_process_of_its_own", "--ignored", "--nocapture"]);
            let ended = process.output().unwrap();
            if ended.status.success() {
                return;
            }
            let told = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
            let crashed = ended.status.signal() == Some(SIGSEGV);
            assert!(crashed && crashes < CRASHES, "{}\n{}\n{}", ended.status, told[0], told[1]);
            println!("the client library has crashed; the test is done again");
        }
    }

    #[test]
    #[ignore = "the test of restarts and kills starts it, in a process that may crash"]
    fn in_a_process_of_its_own() {
        // Starting a broker is what takes the time here.
        let broker = Arc::new(ThrowAway::new("store-disturbed").start(LIMIT).unwrap());
        for check in ["survives_restarts_of_the_server", "survives_kills_of_the_server"] {
            stores::test(check, async { Own::at(&broker) });
        }
    }
}
