//! News: readers in other processes hear of an append by NOTIFY, which is a hint, and look at the tables at times, which is
//! the truth.
//!
//! A transaction that notifies holds a lock of the whole server while it commits, so that the commits of all writers would come
//! one after the other, and it cannot be prepared. So an append does not notify itself: a task does, once for all appends
//! since it last did. What an application puts into the outbox does, since nobody knows when that transaction is committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jitney_core::Env;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::schema::Schema;

/// The channel of all stores in a database; the payload is the schema.
const CHANNEL: &str = "jitney";

const NOTIFY: &str = "SELECT pg_notify($1, $2)";

/// The least time between two notifications.
const BREATH: Duration = Duration::from_millis(10);

/// How long to wait before listening is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells of news, and hears of them.
#[derive(Debug)]
pub(super) struct News {
    teller: Arc<Teller>,
    heard: watch::Sender<u64>,
    listener: OnceLock<Listening>,
}

/// Notifies other processes, at once when there is something new, and then no more often than once a [`BREATH`].
#[derive(Debug, Default)]
struct Teller {
    is_due: AtomicBool,
    runs: AtomicBool,
}

impl Teller {
    async fn run(self: Arc<Self>, env: Env, pool: PgPool, schema: String) {
        loop {
            // What is appended from here on may come too late for this notification.
            self.is_due.store(false, Ordering::SeqCst);
            let notify = sqlx::query(NOTIFY).bind(CHANNEL).bind(&schema);
            if let Err(error) = notify.execute(&pool).await {
                tracing::debug!(%error, "readers were not notified; they find the events by themselves");
            }
            env.sleep(BREATH).await;
            if self.is_due.load(Ordering::SeqCst) {
                continue;
            }
            self.runs.store(false, Ordering::SeqCst);
            // Between the two lines above, something may have become due that left the work to this task.
            if !self.is_due.load(Ordering::SeqCst) || self.runs.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}

/// Ends when dropped.
#[derive(Debug)]
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl News {
    pub(super) fn new() -> Self {
        News { teller: Arc::default(), heard: watch::Sender::new(0), listener: OnceLock::new() }
    }

    /// Lets readers here and elsewhere look at the tables.
    pub(super) fn tell(&self, env: &Env, pool: &PgPool, schema: &Schema) {
        tell_here(&self.heard);
        self.teller.is_due.store(true, Ordering::SeqCst);
        if !self.teller.runs.swap(true, Ordering::SeqCst) {
            let teller = Arc::clone(&self.teller);
            env.spawn(teller.run(env.clone(), pool.clone(), schema.name().to_owned()));
        }
    }

    /// Lets them look when the transaction that is open on `connection` is committed.
    pub(super) async fn tell_in(
        &self,
        connection: &mut PgConnection,
        schema: &Schema,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(NOTIFY).bind(CHANNEL).bind(schema.name()).execute(connection).await.map(drop)
    }

    /// Begins to listen for news; what comes from now on changes the receiver.
    pub(super) fn listen(&self, env: &Env, pool: &PgPool, schema: &Schema) -> watch::Receiver<u64> {
        let options = || PgConnectOptions::clone(&pool.connect_options());
        self.listener.get_or_init(|| {
            let listening = listen(env.clone(), options(), schema.name().to_owned(), self.heard.clone());
            Listening(env.spawn(listening))
        });
        self.heard.subscribe()
    }

    /// Ends listening.
    pub(super) fn close(&self) {
        if let Some(Listening(task)) = self.listener.get() {
            task.abort();
        }
    }
}

fn tell_here(heard: &watch::Sender<u64>) {
    heard.send_modify(|times| *times = times.wrapping_add(1));
}

/// Listens for as long as it lives, on a connection of its own.
async fn listen(env: Env, options: PgConnectOptions, schema: String, heard: watch::Sender<u64>) {
    loop {
        if let Err(error) = listen_once(options.clone(), &schema, &heard).await {
            tracing::debug!(%error, "listening for new events failed; readers look for themselves");
        }
        env.sleep(PAUSE).await;
    }
}

async fn listen_once(
    options: PgConnectOptions,
    schema: &str,
    heard: &watch::Sender<u64>,
) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    // What was told before is not heard any more.
    tell_here(heard);
    while let Some(notification) = listener.try_recv().await? {
        if notification.payload() == schema {
            tell_here(heard);
        }
    }
    Ok(())
}
