//! Writers that make it hard for a reader: slow commits, rollbacks, savepoints, transactions that wrote elsewhere first, and
//! several streams at once, all on the same few streams.

use jitney::DomainEvent;
use jitney::sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Expected, NewEvent, StreamId, TransactionalStore,
};
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{self, PgConnection};
use jitney_core::{Env, Id};
use serde::{Deserialize, Serialize};

/// How many streams all writers share.
const STREAMS: usize = 24;

/// What is stored.
#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Race")]
pub enum RaceEvent {
    /// The only one.
    Ran {
        /// Which writer it was.
        writer: usize,
    },
}

/// What was acknowledged, and what was taken back.
#[derive(Debug, Default)]
pub struct Written {
    /// The ids of events whose transactions were committed.
    pub committed: Vec<Id>,
    /// How many events were stored and rolled back.
    pub rolled_back: u64,
    /// How often a transaction met another one and was given up.
    pub given_up: u64,
}

/// Makes the table that has nothing to do with events.
pub async fn prepare(store: &PostgresStore) -> Result<(), sqlx::Error> {
    let create =
        "CREATE TABLE IF NOT EXISTS race_elsewhere (id bigint GENERATED ALWAYS AS IDENTITY, writer bigint)";
    sqlx::raw_sql(create).execute(store.pool()).await.map(drop)
}

/// Writes with `writers` tasks, each for as long as `goes_on` says to its number of attempts so far.
pub async fn write(
    store: &PostgresStore,
    writers: usize,
    goes_on: impl Fn(u64) -> bool + Clone + Send + Sync + 'static,
) -> Result<Written, BoxError> {
    let env = Env::system();
    let tasks: Vec<_> = (0..writers)
        .map(|number| {
            let rng = fastrand::Rng::with_seed(number as u64 + 1);
            let store = store.clone();
            let writer = Writer { number, store, env: env.clone(), rng };
            env.spawn(writer.run(goes_on.clone()))
        })
        .collect();
    let mut all = Written::default();
    for task in tasks {
        let written = task.await??;
        all.committed.extend(written.committed);
        all.rolled_back += written.rolled_back;
        all.given_up += written.given_up;
    }
    Ok(all)
}

/// Whatever went wrong.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

struct Writer {
    number: usize,
    store: PostgresStore,
    env: Env,
    rng: fastrand::Rng,
}

impl Writer {
    async fn run(mut self, goes_on: impl Fn(u64) -> bool) -> Result<Written, BoxError> {
        let mut written = Written::default();
        for _ in (0..).take_while(|attempts| goes_on(*attempts)) {
            match self.attempt(&mut written).await {
                Ok(()) => {}
                Err(error) if met_another(&*error) => written.given_up += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    async fn attempt(&mut self, written: &mut Written) -> Result<(), BoxError> {
        let kind = self.rng.u32(0..6);
        if kind == 0 {
            let (append, ids) = self.append(1)?;
            self.store.append(append).await?;
            written.committed.extend(ids);
            return Ok(());
        }
        let mut transaction = self.store.pool().begin().await?;
        let mut kept = Vec::new();
        match kind {
            // It has its id early, stores its event late, and others pass it.
            1 => {
                elsewhere(&mut transaction, self.number).await?;
                self.pause(&mut transaction).await?;
                kept = self.append_in(&mut transaction, 1).await?;
            }
            // It stores its event early, and is committed late.
            2 => {
                kept = self.append_in(&mut transaction, 1).await?;
                self.pause(&mut transaction).await?;
            }
            // Nothing of it is left.
            3 => {
                written.rolled_back += self.append_in(&mut transaction, 1).await?.len() as u64;
                self.pause(&mut transaction).await?;
                transaction.rollback().await?;
                return Ok(());
            }
            // A part of it is taken back.
            4 => {
                elsewhere(&mut transaction, self.number).await?;
                sqlx::raw_sql("SAVEPOINT a").execute(&mut *transaction).await?;
                written.rolled_back += self.append_in(&mut transaction, 1).await?.len() as u64;
                sqlx::raw_sql("ROLLBACK TO SAVEPOINT a").execute(&mut *transaction).await?;
                self.pause(&mut transaction).await?;
                kept = self.append_in(&mut transaction, 1).await?;
            }
            // Several streams, one after the other and together: some of these transactions meet each other.
            _ => {
                kept.extend(self.append_in(&mut transaction, 1).await?);
                kept.extend(self.append_in(&mut transaction, 2).await?);
            }
        }
        transaction.commit().await?;
        self.store.wake_readers();
        written.committed.extend(kept);
        Ok(())
    }

    async fn append_in(&mut self, connection: &mut PgConnection, streams: usize) -> Result<Vec<Id>, Error> {
        let (append, ids) = self.append(streams)?;
        let _: Appended = self.store.append_in(connection, append).await?;
        Ok(ids)
    }

    /// One or two events for each of some streams.
    fn append(&mut self, streams: usize) -> Result<(Append, Vec<Id>), Error> {
        let first = self.rng.usize(0..STREAMS);
        let mut ids = Vec::new();
        let mut append: Option<Append> = None;
        for place in 0..streams {
            let events: Result<Vec<_>, Error> = (0..self.rng.usize(1..3))
                .map(|_| {
                    let id = self.env.new_id();
                    ids.push(id.clone());
                    NewEvent::new(id, self.env.now(), &RaceEvent::Ran { writer: self.number })
                })
                .collect();
            let stream = StreamId::new("Race", ((first + place * 7) % STREAMS).to_string());
            append = Some(match append {
                None => Append::to(stream, Expected::Any, events?),
                Some(append) => append.and_to(stream, Expected::Any, events?),
            });
        }
        let empty = || Error::new(ErrorKind::Invalid, "appending to no stream: name one");
        Ok((append.ok_or_else(empty)?, ids))
    }

    /// Lets up to 20 ms pass within the transaction.
    async fn pause(&mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let seconds = f64::from(self.rng.u32(0..20)) / 1_000.0;
        sqlx::query("SELECT pg_sleep($1)").bind(seconds).execute(connection).await.map(drop)
    }
}

async fn elsewhere(connection: &mut PgConnection, writer: usize) -> Result<(), sqlx::Error> {
    let writer = i64::try_from(writer).unwrap_or(i64::MAX);
    let insert = sqlx::query("INSERT INTO race_elsewhere (writer) VALUES ($1)").bind(writer);
    insert.execute(connection).await.map(drop)
}

/// Whether a transaction was given up in favour of another one.
fn met_another(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error
        .downcast_ref::<Error>()
        .is_some_and(|error| error.kind() == ErrorKind::Store && error.is_retryable())
}
