//! disintegrate with disintegrate-postgres.

use async_trait::async_trait;
use disintegrate::serde::json::Json;
use disintegrate::{
    Decision, DecisionError, Event, EventSourcedStateStore, EventStore, LoadState, NoSnapshot, StateMutate,
    StateQuery, StreamItem, StreamQuery, query,
};
use disintegrate_postgres::{
    PgDecisionMaker, PgEventId, PgEventStore, PgSnapshotter, WithPgSnapshot, decision_maker,
};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx_of_peers::PgPool;

use super::account::{self, Deposit, Refused};
use super::subject::{ALL, BEHIND_SNAPSHOT, Failure, LONG, SNAPSHOT_EVERY, Subject};

const LONG_ACCOUNT: &str = "long";

/// So often a decision is made that met another one.
const ATTEMPTS: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Event, Serialize, Deserialize)]
#[stream(AccountEvent, [Deposited])]
pub enum DomainEvent {
    Deposited {
        #[id]
        account_id: String,
        deposit: Deposit,
    },
}

#[derive(Debug, Clone, Default, StateQuery, Serialize, Deserialize)]
#[state_query(AccountEvent)]
struct Account {
    #[id]
    account_id: String,
    account: account::Account,
}

impl StateMutate for Account {
    fn mutate(&mut self, AccountEvent::Deposited { deposit, .. }: AccountEvent) {
        self.account.add(&deposit);
    }
}

struct MakeDeposit<'a>(&'a str);

impl Decision for MakeDeposit<'_> {
    type Event = DomainEvent;
    type StateQuery = Account;
    type Error = Refused;

    fn state_query(&self) -> Account {
        account_of(self.0)
    }

    fn process(&self, _: &Account) -> Result<Vec<DomainEvent>, Refused> {
        Ok(vec![deposited(self.0)])
    }
}

fn account_of(id: &str) -> Account {
    Account { account_id: id.to_owned(), account: account::Account::default() }
}

fn deposited(id: &str) -> DomainEvent {
    DomainEvent::Deposited { account_id: id.to_owned(), deposit: Deposit::new() }
}

type Store = PgEventStore<DomainEvent, Json<DomainEvent>>;
type States<S> = EventSourcedStateStore<PgEventId, DomainEvent, Store, S>;

pub struct Disintegrate {
    decisions: PgDecisionMaker<DomainEvent, Json<DomainEvent>, NoSnapshot>,
    states: States<NoSnapshot>,
    with_snapshots: States<WithPgSnapshot>,
    filled: Store,
}

impl Disintegrate {
    /// In the schema of `pool`, and with [`ALL`] events in that of `filled`.
    pub async fn new(pool: PgPool, filled: PgPool) -> Result<Self, Failure> {
        let store = Store::try_new(pool.clone(), Json::default()).await?;
        let filled = Store::try_new(filled, Json::default()).await?;
        for batch in 0..ALL / LONG {
            let events = vec![deposited(&format!("account-{batch}")); LONG];
            filled.append_without_validation(events).await?;
        }
        let snapshots = WithPgSnapshot::new(PgSnapshotter::try_new(pool, SNAPSHOT_EVERY as u64).await?);
        let with_snapshots = States::new(store.clone(), snapshots);
        // A snapshot is made by the load that finds it due.
        for events in [LONG - BEHIND_SNAPSHOT, BEHIND_SNAPSHOT] {
            store.append_without_validation(vec![deposited(LONG_ACCOUNT); events]).await?;
            with_snapshots.load(account_of(LONG_ACCOUNT)).await?;
        }
        Ok(Disintegrate {
            decisions: decision_maker(store.clone(), NoSnapshot),
            states: States::new(store, NoSnapshot),
            with_snapshots,
            filled,
        })
    }
}

#[async_trait]
impl Subject for Disintegrate {
    /// Transactions that are given up in favour of others are made again, as its users have to.
    async fn command(&self, id: &str) -> Result<(), Failure> {
        let mut attempt = 1;
        loop {
            match self.decisions.make(MakeDeposit(id)).await {
                Ok(_) => return Ok(()),
                Err(DecisionError::StateStore(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn load(&self, with_snapshot: bool) -> Result<u64, Failure> {
        let loaded = if with_snapshot {
            self.with_snapshots.load(account_of(LONG_ACCOUNT)).await?
        } else {
            self.states.load(account_of(LONG_ACCOUNT)).await?
        };
        Ok(loaded.state().account.cents)
    }

    async fn read_all(&self) -> Result<usize, Failure> {
        let all: StreamQuery<PgEventId, DomainEvent> = query!(DomainEvent);
        let mut items = self.filled.stream(&all);
        let mut events = 0;
        while let Some(item) = items.try_next().await? {
            events += usize::from(matches!(item, StreamItem::Event(_)));
        }
        Ok(events)
    }
}
