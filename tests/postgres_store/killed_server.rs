//! The server is killed while events are appended: what was acknowledged is there, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jitney::sourcing::{ErrorKind, EventStore, Expected, ReadStream};
use jitney::sql::PostgresStore;
use jitney_core::Env;
use tokio::task::spawn_blocking;

use super::server::{PATIENCE, append, ids, own_server, read_to_end, stream, until};

const WRITERS: usize = 8;
const KILLS: u64 = 4;

/// Appends events until told to stop, each of them until it is acknowledged, and returns their ids.
async fn write(
    store: PostgresStore,
    name: String,
    stopped: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    unknown: Arc<AtomicU64>,
) -> Vec<String> {
    let (env, mut all) = (Env::system(), Vec::new());
    while !stopped.load(Ordering::Relaxed) {
        let id = format!("{name}-{}", all.len());
        loop {
            match store.append(append(&name, Expected::Any, &[&id])).await {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Duplicate => break,
                Err(error) => {
                    assert!(error.is_retryable(), "{error:?}");
                    unknown.fetch_add(u64::from(error.kind() == ErrorKind::Unknown), Ordering::Relaxed);
                    env.sleep(Duration::from_millis(10)).await;
                }
            }
        }
        all.push(id);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_once_after_each_death_of_the_server() {
    let server = Arc::new(own_server("killed-server"));
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let env = Env::system();
    let (stopped, acknowledged, unknown) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let shared = (Arc::clone(&stopped), Arc::clone(&acknowledged), Arc::clone(&unknown));
            env.spawn(write(store.clone(), number.to_string(), shared.0, shared.1, shared.2))
        })
        .collect();
    for kill in 1..=KILLS {
        until(async || acknowledged.load(Ordering::Relaxed) >= kill * 200).await;
        let server = Arc::clone(&server);
        let restarted = spawn_blocking(move || server.kill().and_then(|()| server.start_again(PATIENCE)));
        restarted.await.unwrap().unwrap();
    }
    let goal = acknowledged.load(Ordering::Relaxed) + 100;
    until(async || acknowledged.load(Ordering::Relaxed) >= goal).await;
    stopped.store(true, Ordering::Relaxed);

    let mut all = Vec::new();
    for (number, writer) in writers.into_iter().enumerate() {
        let written = writer.await.unwrap();
        let events = store.read_stream(&stream(&number.to_string()), ReadStream::forward()).await.unwrap();
        assert_eq!(ids(&events), written);
        let sequences: Vec<_> = events.iter().map(|event| event.sequence()).collect();
        assert_eq!(sequences, (1..=written.len() as u64).collect::<Vec<_>>());
        all.extend(written);
    }
    let mut seen = ids(&read_to_end(&store).await);
    seen.sort();
    all.sort();
    assert_eq!(seen, all);
    let (acknowledged, unknown) = (all.len(), unknown.load(Ordering::Relaxed));
    println!("{acknowledged} events acknowledged, {KILLS} deaths of the server, {unknown} unknown outcomes");
}
