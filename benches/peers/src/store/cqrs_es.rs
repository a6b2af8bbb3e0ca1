//! cqrs-es with postgres-es.

use std::collections::HashMap;

use async_trait::async_trait;
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateContext, DomainEvent, EventStore};
use postgres_es::{PostgresCqrs, PostgresEventRepository, postgres_cqrs, postgres_snapshot_cqrs};
use serde::{Deserialize, Serialize};
use sqlx_of_peers::PgPool;

use super::account::{self, Deposit, Refused};
use super::subject::{BEHIND_SNAPSHOT, Failure, LONG, SNAPSHOT_EVERY, Subject};

/// The tables, as postgres-es documents them.
const TABLES: &str = "
CREATE TABLE events (
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint CHECK (sequence >= 0) NOT NULL,
    event_type text NOT NULL,
    event_version text NOT NULL,
    payload json NOT NULL,
    metadata json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);
CREATE TABLE snapshots (
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    last_sequence bigint CHECK (last_sequence >= 0) NOT NULL,
    current_snapshot bigint CHECK (current_snapshot >= 0) NOT NULL,
    payload json NOT NULL,
    PRIMARY KEY (aggregate_type, aggregate_id, last_sequence)
)";

const LONG_ACCOUNT: &str = "long";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AccountEvent {
    Deposited(Deposit),
}

impl DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        "Deposited".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Account(account::Account);

impl Aggregate for Account {
    const TYPE: &'static str = account::AGGREGATE;
    /// So many deposits.
    type Command = Vec<Deposit>;
    type Event = AccountEvent;
    type Error = Refused;
    type Services = ();

    async fn handle(
        &mut self,
        deposits: Vec<Deposit>,
        _: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refused> {
        for deposit in deposits {
            sink.write(AccountEvent::Deposited(deposit), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, AccountEvent::Deposited(deposit): AccountEvent) {
        self.0.add(&deposit);
    }
}

type Store = PersistedEventStore<PostgresEventRepository, Account>;

pub struct CqrsEs {
    env: jitney::Env,
    accounts: PostgresCqrs<Account>,
    store: Store,
    with_snapshots: Store,
}

impl CqrsEs {
    pub async fn new(pool: PgPool) -> Result<Self, Failure> {
        sqlx_of_peers::raw_sql(TABLES).execute(&pool).await?;
        let filling = postgres_snapshot_cqrs::<Account>(pool.clone(), Vec::new(), SNAPSHOT_EVERY, ());
        for _ in 0..LONG / BEHIND_SNAPSHOT {
            filling.execute(LONG_ACCOUNT, vec![Deposit::new(); BEHIND_SNAPSHOT]).await?;
        }
        let repository = || PostgresEventRepository::new(pool.clone());
        Ok(CqrsEs {
            env: jitney::Env::system(),
            accounts: postgres_cqrs(pool.clone(), Vec::new(), ()),
            store: Store::new_event_store(repository()),
            with_snapshots: Store::new_snapshot_store(repository(), SNAPSHOT_EVERY),
        })
    }
}

#[async_trait]
impl Subject for CqrsEs {
    async fn command(&self, id: &str) -> Result<(), Failure> {
        // The others store a correlation id.
        let metadata = HashMap::from([("correlationId".to_owned(), self.env.new_id().to_string())]);
        Ok(self.accounts.execute_with_metadata(id, vec![Deposit::new()], metadata).await?)
    }

    async fn load(&self, with_snapshot: bool) -> Result<u64, Failure> {
        let store = if with_snapshot { &self.with_snapshots } else { &self.store };
        Ok(store.load_aggregate(LONG_ACCOUNT).await?.aggregate().0.cents)
    }
}
